"""Recordings in: uploads decoded, no more at once than memory holds, and how sure a model is of what it heard there."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from speechmlx.errors import BadRequest, Busy
from speechmlx.protocols.http.request_id import note
from speechmlx.protocols.http.routing import Call
from speechmlx.types import Audio, Segment

if TYPE_CHECKING:
    from speechmlx.types import Samples

T = TypeVar("T")

HELD = 6 * 3600.0
"""Seconds of decoded sound in memory at once, 1.4 GB at 16 kHz. More than any one recording may have."""
SLICE = 60
"""Seconds decoded before another recording has its turn."""
SAMPLE_BYTES = 4
Span = tuple[float, float]
"""Seconds [start, end) of a recording."""
ALL: Span = (0.0, math.inf)


class Decoding:
    """What one server decodes: `most` recordings at once, with `held` seconds of sound among them; more is Busy.

    It has threads of its own, for long recordings would hold up what else runs on asyncio's.
    """

    def __init__(self, most: int, held: float = HELD) -> None:
        self._threads = ThreadPoolExecutor(max(2, (os.cpu_count() or 2) // 2), "decoding")
        self._most = most
        self._limit = held
        self._held: dict[int, float] = {}
        """Seconds of sound of each recording under way."""
        self._numbers = count()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., T], *given: object) -> T:
        """What `work` gives, from a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    async def whole(
        self, file: BinaryIO, rate: int, stack: AsyncExitStack, pcm_rate: int | None = None, span: Span = ALL
    ) -> Audio:
        """`file` at `rate` Hz, or its `span`, which counts until `stack` closes. Raises BadAudio, TooLarge and Busy.

        Room is asked for before anything is decoded, and on the way: a small file may hold hours.
        """
        number = next(self._numbers)
        if len(self._held) >= self._most:
            raise Busy(f"{self._most} recordings are under way, which is the limit (max_jobs)", retry_after=1.0)
        self._held[number] = 0.0
        stack.callback(self._held.pop, number, None)
        try:
            return await self._whole(number, inside(blocks(file, rate, pcm_rate, fit=False), rate, span), rate)
        except BaseException:
            self._held.pop(number, None)  # at once, for the others
            raise

    async def _whole(self, number: int, pieces: Iterator[Samples], rate: int) -> Audio:
        data, more = bytearray(), True
        while more:
            if sum(self._held.values()) + SLICE > self._limit:
                raise Busy(f"{self._limit / 3600:g} hours of sound are in memory, which is the limit", retry_after=5.0)
            self._held[number] += SLICE
            more = await self.run(_append, data, pieces, SLICE * rate * SAMPLE_BYTES)
            self._held[number] = len(data) / SAMPLE_BYTES / rate
        return await self.run(_audio, data, rate)


async def decoded(call: Call, rate: int, pcm_rate: int | None = None, span: Span = ALL) -> Audio:
    """The upload at `rate` Hz, or its `span`. Raises BadRequest where there is none, BadAudio, TooLarge and Busy."""
    if call.body.upload is None:
        raise BadRequest("missing 'file': the recording, as a file of a multipart form or as base64 in JSON")
    decoding: Decoding = call.request.app.state.decoding
    audio = await decoding.whole(call.body.upload, rate, call.stack, pcm_rate, span)
    note(call.request.scope, f"{audio.duration:.1f} s of sound")
    return audio


def blocks(file: BinaryIO, rate: int, pcm_rate: int | None, *, fit: bool = True) -> Iterator[Samples]:
    """`file` at `rate` Hz in blocks of about a second, each decoded when it is asked for; `fit`: in [-1, 1]."""
    from speechmlx.audio import decode

    yield from decode.blocks(file, rate, pcm_rate=pcm_rate, fit=fit)


def inside(blocks: Iterator[Samples], rate: int, span: Span) -> Iterator[Samples]:
    """What of `blocks` lies in `span`; nothing after it is decoded."""
    start, end = (math.floor(second * rate) if second < math.inf else sys.maxsize for second in span)
    at = 0
    for block in blocks:
        if len(found := block[max(0, start - at) : max(0, end - at)]):
            yield found
        at += len(block)
        if at >= end:
            return


def _append(data: bytearray, pieces: Iterator[Samples], size: int) -> bool:
    """Add about `size` bytes of sound to `data`; False at the end."""
    wanted = len(data) + size
    for block in pieces:
        data += block.tobytes()
        if len(data) >= wanted:
            return True
    return False


def _audio(data: bytearray, rate: int) -> Audio:
    import numpy as np

    from speechmlx.audio.pcm import within_full_scale

    return Audio(within_full_scale(np.frombuffer(data, np.float32)), rate)


def confidence(segments: Sequence[Segment]) -> float:
    """The segments' confidence, each weighted by its length; 0 when nothing was said."""
    total = sum(segment.end - segment.start for segment in segments)
    if total <= 0:
        return 0.0
    return sum(segment.confidence * (segment.end - segment.start) for segment in segments) / total
