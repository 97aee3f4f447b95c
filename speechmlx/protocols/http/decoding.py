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

from speechmlx import tracing
from speechmlx.errors import Busy
from speechmlx.protocols.http.processor_turns import ProcessorTurn, ProcessorTurns
from speechmlx.runtime.front.client import current
from speechmlx.types import Audio

if TYPE_CHECKING:
    from speechmlx.audio.live_format import AudioFormat
    from speechmlx.types import Samples

T = TypeVar("T")

MAX_BYTES = 1 << 30
"""Bytes of decoded sound in memory at once: 4.6 hours at 16 kHz. No recording is longer."""
PACKED = 400
"""Bytes of sound from one byte of a file that holds next to nothing. Speech in Opus at 8 kbit/s gives 64."""
PACKED_SHARE = 4
"""Such files share a fourth of the memory; one alone may have all."""
SPARE = 8
"""Threads for other work than that of a recording in memory: each waits for its turn."""
SLICE = 60
"""Seconds decoded before the next recording has its turn."""
SAMPLE_BYTES = 4
Span = tuple[float, float]
"""Seconds [start, end) of a recording."""
ALL: Span = (0.0, math.inf)


class RecordingDecoder:
    """Decodes the recordings of one server: at most `max_recordings` at once, with `max_bytes` of sound in them all.

    It has threads of its own, because long recordings would hold up other work on asyncio's threads. They take turns:
    a recording that needs little work is not behind others that need much.

    `charge` is called with the seconds of what was decoded, as it goes on; 0 first. What it raises ends the decoding.
    """

    def __init__(
        self, max_recordings: int, max_bytes: int = MAX_BYTES, charge: Callable[[float], None] = lambda seconds: None
    ) -> None:
        self._threads = ThreadPoolExecutor(max_recordings + SPARE, "decoding")
        self._turns = ProcessorTurns(max(2, (os.cpu_count() or 2) // 2))
        self._max_recordings = max_recordings
        self._max_bytes = max_bytes
        self._charge = charge
        self._sizes: dict[int, int] = {}
        """Bytes of sound of each recording in memory."""
        self._packed: set[int] = set()
        """Those of them whose files are PACKED times smaller."""
        self._numbers = count()

    def close(self) -> None:
        """Cancel what has not begun, and let the threads end."""
        self._turns.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Call `work` on a thread of the decoder and return its result."""
        return await self._run(ProcessorTurn(current.get().name), work, *arguments)

    async def _run(self, turn: ProcessorTurn, work: Callable[..., T], *arguments: object) -> T:
        def in_turn() -> T:
            with self._turns.taken(turn):
                try:
                    return work(*arguments)
                except StopIteration as error:  # a future cannot hold it, so it would be waited for without end
                    raise RuntimeError("a generator had no more") from error

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, in_turn)
        except BaseException:
            turn.ended = True  # the thread may go on
            raise

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
        if len(self._sizes) >= self._max_recordings:
            raise Busy(
                f"{self._max_recordings} recordings are under way, which is the limit (max_jobs)", retry_after=1.0
            )
        self._sizes[number] = 0
        stack.callback(self._forget, number)
        blocks = decoded_blocks(file, rate, pcm_rate, raw=raw, channel=channel, fit=False)
        try:
            with tracing.span("decode") as stage:
                audio = await self._decode(number, cut(blocks, rate, span), rate, file.seek(0, os.SEEK_END))
                stage.set({"speechmlx.audio_s": audio.duration})
                return audio
        except BaseException:
            self._forget(number)  # at once: others may wait for the room
            raise

    async def _decode(self, number: int, blocks: Iterator[Samples], rate: int, file_size: int) -> Audio:
        data, more, turn = bytearray(), True, ProcessorTurn(current.get().name)
        step = SLICE * rate * SAMPLE_BYTES
        while more:
            if len(data) > PACKED * file_size:
                self._packed.add(number)
            self._check_room(number, step)
            self._sizes[number] += step
            before = len(data)
            more = await self._run(turn, _append, data, blocks, step)
            self._sizes[number] = len(data)
            self._charge((len(data) - before) / SAMPLE_BYTES / rate)
        return await self._run(turn, _audio, data, rate)

    def _check_room(self, number: int, step: int) -> None:
        """Raises Busy where there is no room for `step` more bytes of a recording."""
        limit, used = self._max_bytes, sum(self._sizes.values())
        if used + step <= limit and number in self._packed and len(self._packed) > 1:
            limit, used = limit // PACKED_SHARE, sum(self._sizes[one] for one in self._packed)
        if used + step > limit:
            raise Busy(f"{limit / 2**20:.0f} MB of sound are in memory, which is the limit", retry_after=5.0)

    def _forget(self, number: int) -> None:
        self._sizes.pop(number, None)
        self._packed.discard(number)


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
