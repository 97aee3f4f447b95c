"""Bytes of any common audio format → mono float32 at the rate a model wants, at once or in blocks.

Everything here is plain CPU work that may take seconds: call it in a thread, never on an event loop.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from speechmlx.audio import wav
from speechmlx.audio.pcm import from_pcm16, mix, to_float
from speechmlx.audio.resample import Resampler
from speechmlx.audio.sniff import ALLOWED, HEAD, WAV, Format, describe, sniff, sniff_frames
from speechmlx.errors import BadAudio, TooLarge
from speechmlx.types import Audio

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame

    from speechmlx.types import Samples

Source = bytes | bytearray | Path | BinaryIO

MAX_SECONDS = 4 * 3600.0
LEAST_BITS = 600
"""Bits a second below which no recording of speech goes, silence left out."""
SILENT_SECONDS = 1800.0
"""Of audio beyond what LEAST_BITS allow: a long pause is no bomb."""
RATES = range(1000, 768_001)
MAX_CHANNELS = 64
BLOCK_SECONDS = 1.0


def decode(source: Source, rate: int, *, pcm_rate: int | None = None, max_seconds: float = MAX_SECONDS) -> Audio:
    """All of `source`, mixed down and resampled to `rate` Hz.

    The format is told from the content. `pcm_rate` allows headerless mono PCM16 and gives its rate. A truncated or
    partly corrupt file gives what can be decoded of it. Raises BadAudio saying what the bytes are and what is allowed,
    TooLarge for audio longer than `max_seconds`, and for a small file that decodes to hours.
    """
    data = bytearray()
    for block in blocks(source, rate, pcm_rate=pcm_rate, max_seconds=max_seconds):
        data += block.tobytes()
    return Audio(np.frombuffer(data, np.float32), rate)


def blocks(
    source: Source, rate: int, *, pcm_rate: int | None = None, max_seconds: float = MAX_SECONDS
) -> Iterator[Samples]:
    """What `decode` gives, as blocks of about a second that are read on demand: memory stays bounded for any length."""
    with ExitStack() as stack:
        if isinstance(source, bytes | bytearray):
            file: BinaryIO = io.BytesIO(source)
        elif isinstance(source, Path):
            file = stack.enter_context(source.open("rb"))
        else:
            file = source
        packed = SILENT_SECONDS + file.seek(0, os.SEEK_END) * 8 / LEAST_BITS
        count, limit = 0, min(max_seconds, packed) * rate
        for block in _gathered(_resampled(_read(file, pcm_rate), rate), int(rate * BLOCK_SECONDS)):
            count += len(block)
            if count > limit and packed < max_seconds:
                raise TooLarge(f"a file this small holds no more than {packed:.0f} seconds of speech, this one does")
            if count > limit:
                raise TooLarge(f"the audio is longer than the limit of {max_seconds:g} seconds; send it in parts")
            yield block
        if count == 0:
            raise BadAudio("the audio holds no samples")


Pieces = Iterator[tuple["Samples", int]]
"""Mono samples and their rate, which some formats change midway."""


def _read(file: BinaryIO, pcm_rate: int | None) -> Pieces:
    file.seek(0)
    head = file.read(HEAD)
    found = sniff(head)
    if found is None and pcm_rate is not None:
        yield from _read_pcm(file, pcm_rate)
        return
    found = found or sniff_frames(head)
    if found is None:
        raise BadAudio(
            f"the audio is {describe(head)}; allowed: {ALLOWED}, or headerless mono PCM16 with its sample_rate given"
        )
    if found is WAV and not head.startswith(b"RIFX"):
        layout = wav.read_layout(file)
        if layout.readable:
            _check(found, layout.rate, layout.channels)
            yield from ((samples, layout.rate) for samples in wav.read_samples(file, layout))
            return
    file.seek(0)
    yield from _read_av(file, found)


def _read_pcm(file: BinaryIO, rate: int) -> Pieces:
    if rate not in RATES:
        raise BadAudio(f"sample_rate {rate} is outside {RATES[0]} to {RATES[-1]} Hz")
    file.seek(0)
    while data := file.read(2 * wav.FRAMES):
        yield from_pcm16(data), rate


def _read_av(file: BinaryIO, found: Format) -> Pieces:
    """By ffmpeg, with the demuxer fixed: left to guess it would follow playlists to other files and hosts."""
    import av

    try:
        container = av.open(file, mode="r", format=found.demuxer, **_lenient(av.__version__))
    except (av.FFmpegError, ValueError) as error:
        raise BadAudio(
            f"the audio looks like {found.name} but cannot be read, it may be truncated: {_reason(error)}"
        ) from error
    with container:
        if not container.streams.audio:
            raise BadAudio(f"the {found.name} file has no audio track")
        decoded = False
        problem: Exception | None = None
        for result in _frames(container):
            if isinstance(result, Exception):
                problem = result
                continue
            channels = result.layout.nb_channels
            _check(found, result.sample_rate, channels)
            try:
                samples = _mono(result, channels)
            except ValueError as error:
                problem = error
                continue
            decoded = True
            yield samples, result.sample_rate
        if not decoded:
            why = _reason(problem) if problem else "it ends before its first sample"
            raise BadAudio(f"the audio looks like {found.name} but cannot be decoded: {why}")


def _lenient(version: str) -> dict[str, Any]:
    """What makes PyAV open a file whose tags are in no known encoding; from 19 on it does so by itself."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def _frames(container: av.container.InputContainer) -> Iterator[AudioFrame | Exception]:
    """Every frame that decodes; a corrupt packet gives its error and is skipped, a broken container ends it."""
    import av

    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, ValueError) as error:
            yield error
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except (av.FFmpegError, ValueError) as error:
            yield error


def _mono(frame: AudioFrame, channels: int) -> Samples:
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    return mix(to_float(values))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _check(found: Format, rate: int, channels: int) -> None:
    if rate not in RATES:
        raise BadAudio(f"the {found.name} file has a sample rate of {rate} Hz; allowed: {RATES[0]} to {RATES[-1]}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(f"the {found.name} file has {channels} channels; allowed: 1 to {MAX_CHANNELS}")


def _resampled(pieces: Pieces, rate: int) -> Iterator[Samples]:
    resampler: Resampler | None = None
    for samples, source in pieces:
        if resampler is None or resampler.source != source:
            if resampler is not None:
                yield resampler.flush()
            resampler = Resampler(source, rate)
        yield resampler.push(samples)
    if resampler is not None:
        yield resampler.flush()


def _gathered(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    """The same samples in blocks of at least `size`, all but the last; no piece is empty."""
    waiting: list[Samples] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= size:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if count:
        yield np.concatenate(waiting)
