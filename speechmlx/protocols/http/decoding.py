"""Decoding of recordings on threads, with a limit on the sound that is in memory at once."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from speechmlx.errors import Busy
from speechmlx.runtime.front.client import current
from speechmlx.runtime.front.turns import Turns
from speechmlx.types import Audio

if TYPE_CHECKING:
    from speechmlx.audio.live_format import AudioFormat
    from speechmlx.types import Samples

T = TypeVar("T")

MAX_SECONDS = 6 * 3600.0
"""Seconds of decoded sound in memory at once: 1.4 GB at 16 kHz. No recording is longer."""
SLICE = 60
"""Seconds decoded before the next recording has its turn."""
SAMPLE_BYTES = 4
Span = tuple[float, float]
"""Seconds [start, end) of a recording."""
ALL: Span = (0.0, math.inf)


class RecordingDecoder:
    """Decodes the recordings of one server: at most `max_recordings` at once, with `max_seconds` of sound in them all.

    `charge` is called with the seconds of what was decoded, as it goes on; 0 first. What it raises ends the decoding.
    It has threads of its own, because long recordings would hold up other work on asyncio's threads.
    """

    def __init__(
        self,
        max_recordings: int,
        max_seconds: float = MAX_SECONDS,
        charge: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        threads = max(2, (os.cpu_count() or 2) // 2)
        self._threads = ThreadPoolExecutor(threads, "decoding")
        self._turns = Turns(threads)
        self._max_recordings = max_recordings
        self._max_seconds = max_seconds
        self._charge = charge
        self._seconds: dict[int, float] = {}
        """Seconds of sound of each recording in memory."""
        self._numbers = count()

    def close(self) -> None:
        """Cancel what has not begun, and let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Call `work` on a thread of the decoder and return its result. Clients have the threads in turn."""
        async with self._turns.turn(current.get().name):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def decode(
        self,
        file: BinaryIO,
        rate: int,
        stack: AsyncExitStack,
        pcm_rate: int | None = None,
        span: Span = ALL,
        *,
        raw: AudioFormat | None = None,
        channel: int | None = None,
    ) -> Audio:
        """Decode `span` of `file` to `rate` Hz. The sound counts as in memory until `stack` closes.

        `pcm_rate` is the rate of headerless PCM16, `raw` the format of other samples without a header; None takes only
        files with a header. `channel`, from 0, is decoded instead of a mix of all. Raises BadAudio, TooLarge, and
        Busy where there is no room, which is checked during decoding too: a small file may hold hours.
        """
        self._charge(0.0)
        number = next(self._numbers)
        if len(self._seconds) >= self._max_recordings:
            raise Busy(
                f"{self._max_recordings} recordings are under way, which is the limit (max_jobs)", retry_after=1.0
            )
        self._seconds[number] = 0.0
        stack.callback(self._seconds.pop, number, None)
        blocks = decoded_blocks(file, rate, pcm_rate, raw=raw, channel=channel, fit=False)
        try:
            return await self._decode(number, cut(blocks, rate, span), rate)
        except BaseException:
            self._seconds.pop(number, None)  # at once: others may wait for the room
            raise

    async def _decode(self, number: int, blocks: Iterator[Samples], rate: int) -> Audio:
        data, more, charged = bytearray(), True, 0.0
        while more:
            if sum(self._seconds.values()) + SLICE > self._max_seconds:
                hours = f"{self._max_seconds / 3600:g} hours of sound"
                raise Busy(f"{hours} are in memory, which is the limit", retry_after=5.0)
            self._seconds[number] += SLICE
            more = await self.run(_append, data, blocks, SLICE * rate * SAMPLE_BYTES)
            seconds = len(data) / SAMPLE_BYTES / rate
            self._charge(seconds - charged)
            self._seconds[number] = charged = seconds
        return await self.run(_audio, data, rate)


def decoded_blocks(
    file: BinaryIO,
    rate: int,
    pcm_rate: int | None,
    *,
    raw: AudioFormat | None = None,
    channel: int | None = None,
    fit: bool = True,
) -> Iterator[Samples]:
    """`file` at `rate` Hz in blocks of about a second, each decoded when it is read.

    `raw` and `channel` as in `RecordingDecoder.decode`. `fit` scales what exceeds [-1, 1]. Raises BadAudio, TooLarge.
    """
    from speechmlx.audio import decode

    yield from decode.blocks(file, rate, pcm_rate=pcm_rate, raw=raw, channel=channel, fit=fit)


def cut(blocks: Iterator[Samples], rate: int, span: Span) -> Iterator[Samples]:
    """The part of `blocks` in `span`. Blocks after it are not decoded."""
    start, end = (math.floor(second * rate) if second < math.inf else sys.maxsize for second in span)
    position = 0
    for block in blocks:
        if len(part := block[max(0, start - position) : max(0, end - position)]):
            yield part
        position += len(block)
        if position >= end:
            return


def _append(data: bytearray, blocks: Iterator[Samples], size: int) -> bool:
    """Add about `size` bytes of samples to `data`. False at the end of the recording."""
    full = len(data) + size
    for block in blocks:
        data += block.tobytes()
        if len(data) >= full:
            return True
    return False


def _audio(data: bytearray, rate: int) -> Audio:
    import numpy as np

    from speechmlx.audio.pcm import within_full_scale

    return Audio(within_full_scale(np.frombuffer(data, np.float32)), rate)
