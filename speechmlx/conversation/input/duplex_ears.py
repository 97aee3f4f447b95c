"""What a model hears that hears and speaks at once: a client's audio, without a turn detector in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.resample import Resampler
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.errors import ModelBehind
from speechmlx.conversation.input.lag import Lag
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Converse, Feed, TextDelta

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

PIECE = 1.0
"""Seconds of audio that the model gets at once, at most."""
LATE, IN_TIME = 2.0, 0.5
"""Seconds behind from which on the client is told, and below which it may be told again."""
CHECK = 0.5
"""Seconds between two looks at how far the model is behind."""
INLINE = 48000
"""Bytes that are decoded on the event loop; more goes to a thread."""


@dataclass(frozen=True)
class DuplexListener:
    """What the ears report to."""

    said: Callable[[TextDelta | Chunk], Awaitable[None]]
    """Called with each event of the model. While it waits, the model does."""
    ended: Callable[[SpeechError | None], None]
    """The model's part is over, with its error where it failed."""
    late: Callable[[SpeechError], None]
    """The model is far behind."""


class DuplexEars:
    """A `Converse` job after the other, each fed with the audio that comes in its time. Nothing of it is dropped."""

    def __init__(self, engines: Engines, wall: Callable[[], float], listener: DuplexListener) -> None:
        self._engines, self._wall, self._listener = engines, wall, listener
        self._format: AudioFormat | None = None
        self._resampler: Resampler | None = None
        self._incomplete = b""
        """The beginning of a sample whose rest has not come."""
        self._job: Job | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._lag = Lag()

    @property
    def listens(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None and not self._job.ended

    def begin(self, request: Converse) -> None:
        """Begin a job. Raises Busy, Draining and UnknownModel."""
        job = self._job = self._engines.submit(request)
        self._lag, self._resampler, self._incomplete = Lag(), None, b""
        self._tasks = (asyncio.create_task(self._read(job)), asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """End the job under way, without a report."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()  # a task that is cancelled before it began leaves no block
        tasks, self._tasks = self._tasks, ()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def finish(self) -> None:
        """No more audio comes: returns when the model has answered all of it."""
        if self._job is None:
            return
        if self._resampler is not None:
            tail, self._resampler = self._resampler.flush(), None
            await self._feed(self._job, tail)
        await self._job.end()
        await asyncio.gather(*self._tasks[:1], return_exceptions=True)
        await self.stop()

    async def hear(self, data: bytes, format: AudioFormat) -> None:
        """The next bytes. Waits while the model does not take them."""
        job = self._job
        if job is None:
            return
        if format != self._format:
            if self._resampler is not None:
                await self._feed(job, self._resampler.flush())
            self._format, self._resampler, self._incomplete = format, None, b""
        data = self._incomplete + data
        whole = len(data) // format.width * format.width
        data, self._incomplete = data[:whole], data[whole:]
        if self._resampler is None:
            self._resampler = Resampler(format.rate, job.model.rate)
        decode = self._resampler.push
        if len(data) > INLINE:
            await self._feed(job, await asyncio.to_thread(lambda: decode(format.decode(data))))
        elif data:
            await self._feed(job, decode(format.decode(data)))

    async def _feed(self, job: Job, samples: Samples) -> None:
        if not len(samples):
            return
        size = round(PIECE * job.model.rate)
        self._lag.came(len(samples) / job.model.rate, self._wall())
        for start in range(0, len(samples), size):
            await job.send(Feed(samples[start : start + size]))

    async def _read(self, job: Job) -> None:
        error: SpeechError | None = None
        try:
            async with job:
                async for event in job:
                    if isinstance(event, Chunk):
                        self._lag.answered(event.duration)
                    if isinstance(event, TextDelta | Chunk):
                        await self._listener.said(event)
        except SpeechError as failed:
            error = failed
        except Exception as failed:
            log.exception("a conversation failed")
            error = EngineFailed(f"the conversation failed: {type(failed).__name__}")
        self._listener.ended(error)

    async def _watch(self) -> None:
        """Tell when the model is far behind, once each time."""
        told = False
        while self.listens:
            behind = self._lag.at(self._wall())
            if behind > LATE and not told:
                log.warning("a live conversation is %.1f s behind", behind)
                self._listener.late(ModelBehind(behind))
            told = behind > (IN_TIME if told else LATE)
            await asyncio.sleep(CHECK)
