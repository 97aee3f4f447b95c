"""The recordings that a caller gives: a path, the bytes of a file, an open file, or an array with its rate."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from speechmlx.audio import decode
from speechmlx.audio.mixing import mixed
from speechmlx.audio.pcm import within_full_scale
from speechmlx.audio.resample import resample
from speechmlx.errors import BadAudio, BadRequest
from speechmlx.types import Audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

    Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Audio | tuple[NDArray[Any], int]

AT_ONCE = 60
"""Seconds that are decoded on a thread before the caller's event loop can stop it."""
ALLOWED = "a path, the bytes of a file, a binary file, an Audio, or (array, rate)"


async def read_source(source: Source, rate: int) -> Audio:
    """The whole recording as mono float32 [n] at `rate` Hz.

    Raises BadAudio for what is no audio, TooLarge, and BadRequest for a file that cannot be read.
    """
    if isinstance(source, Audio | tuple):
        return await asyncio.to_thread(_from_array, source, rate)
    blocks, parts = _blocks(_decodable(source), rate, fit=False), list["Samples"]()
    while found := await asyncio.to_thread(lambda: list(islice(blocks, AT_ONCE))):
        parts += found
    return await asyncio.to_thread(lambda: Audio(within_full_scale(np.concatenate(parts)), rate))


async def stream_source(source: Source, rate: int) -> AsyncGenerator[Samples, None]:
    """The recording in blocks [n] of about a second at `rate` Hz, each decoded when it is read. Raises as above."""
    if isinstance(source, Audio | tuple):
        samples = (await asyncio.to_thread(_from_array, source, rate)).samples
        for start in range(0, len(samples), rate):
            yield samples[start : start + rate]
        return
    blocks = _blocks(_decodable(source), rate, fit=True)
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield block


def stem(source: Source) -> str:
    """The name of the recording's file without its ending; "" where it has none."""
    return Path(source).stem if isinstance(source, str | os.PathLike) else ""


def channels_of(array: Any) -> NDArray[Any]:
    """An array [n] or [n, channels] of numbers as [channels, n]. Raises BadRequest for any other."""
    values = np.asarray(array)
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise BadRequest(
            f"samples are an array of numbers, [n] or [n, channels], not {values.dtype} of shape {values.shape}"
        )
    channels: NDArray[Any] = values[None] if values.ndim == 1 else values.T
    if not 1 <= len(channels) <= decode.MAX_CHANNELS:
        raise BadRequest(
            f"the array {values.shape} has {len(channels)} channels; allowed: 1 to {decode.MAX_CHANNELS}, "
            "as [n, channels]"
        )
    return channels


def check_rate(rate: Any) -> int:
    """A sample rate in Hz. Raises BadRequest where it is none."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate not in decode.RATES:
        low, high = decode.RATES[0], decode.RATES[-1]
        raise BadRequest(f"the sample rate must be a whole number of Hz from {low} to {high}, not {rate!r:.40}")
    return int(rate)


def _decodable(source: Any) -> decode.Source:
    """What `audio.decode` takes. Raises BadRequest for any other object."""
    if isinstance(source, str | os.PathLike):
        return Path(source).expanduser()
    if isinstance(source, memoryview):
        return bytes(source)
    if isinstance(source, bytes | bytearray) or (hasattr(source, "read") and hasattr(source, "seek")):
        found: decode.Source = source
        return found
    raise BadRequest(f"a recording is {ALLOWED}, not {type(source).__name__}")


def _blocks(source: decode.Source, rate: int, fit: bool) -> Iterator[Samples]:
    try:
        yield from decode.blocks(source, rate, fit=fit)
    except OSError as error:
        name = source if isinstance(source, Path) else "the file"
        raise BadRequest(f"{name} cannot be read: {error.strerror or error}") from error


def _from_array(source: Audio | tuple[Any, ...], rate: int) -> Audio:
    if isinstance(source, tuple) and len(source) != 2:
        raise BadRequest(f"a recording is {ALLOWED}, not {len(source)} values")
    array, own = (source.samples, source.rate) if isinstance(source, Audio) else source
    channels, own = channels_of(array), check_rate(own)
    pieces = ((channels[:, start : start + own], own) for start in range(0, channels.shape[1], own))
    parts = [piece for piece, _ in mixed(pieces)]
    if not parts:
        raise BadAudio("the audio holds no samples")
    return Audio(within_full_scale(resample(np.concatenate(parts), own, rate)), rate)
