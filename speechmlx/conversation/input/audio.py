"""Bytes as a client sends them → samples at the rate of those who listen, cleaned of noise where it asked for that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16
from speechmlx.audio.resample import Resampler
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.buffer import RATE
from speechmlx.conversation.settings import Format
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Enhance, Kind, Priority

if TYPE_CHECKING:
    from speechmlx.types import Samples

    Heard = Callable[[Samples], Awaitable[None]]

log = logging.getLogger(__name__)

BEHIND = 120.0
"""Seconds of audio that may wait for the noise reduction before the client does."""
INLINE = 48000
"""Bytes that are decoded on the event loop; more goes to a thread."""


class AudioInput:
    """One client's audio in. `heard` is given the samples, in order; `seconds` counts what was sent.

    `fail` is told, once until it works again, why the noise reduction does not: the next audio tries again.
    """

    def __init__(
        self, engines: Engines, format: Format, clean: bool, heard: Heard, fail: Callable[[SpeechError], None]
    ) -> None:
        self.format = format
        self.clean = clean
        self.seconds = 0.0
        self._engines = engines
        self._heard = heard
        self._fail = fail
        self._failing = False
        self._odd = b""
        self._resampler: Resampler | None = None
        self._cleaner: NoiseReducer | None = None

    async def push(self, data: bytes) -> None:
        """The next bytes, any number: a sample cut in two is kept until its rest comes."""
        data = self._odd + data
        whole = len(data) // self.format.width * self.format.width
        data, self._odd = data[:whole], data[whole:]
        if not data:
            return
        samples = await asyncio.to_thread(self._decode, data) if len(data) > INLINE else self._decode(data)
        self.seconds += self.format.seconds(len(data))
        await self._pass(samples)

    async def flush(self) -> None:
        """As `settle`; and half of a sample is dropped: what comes next is another recording."""
        self._odd = b""
        await self.settle()

    async def settle(self) -> None:
        """All that was pushed is heard when this returns: filters and the noise reduction give up what they hold."""
        if self._resampler is not None:
            tail, self._resampler = self._resampler.flush(), None
            await self._pass(tail)
        if self._cleaner is not None:
            try:
                await self._cleaner.finish()
            except Exception as error:
                await self._lost(error)
            self._cleaner = None

    async def switch(self, format: Format, clean: bool) -> None:
        """Other settings from here on."""
        if (format, clean) != (self.format, self.clean):
            await self.flush()
            self.format, self.clean = format, clean

    async def close(self) -> None:
        if self._cleaner is not None:
            await self._cleaner.close()

    def _decode(self, data: bytes) -> Samples:
        encoding = self.format.encoding
        samples = from_pcm16(data) if encoding == "pcm16" else g711.decode(data, encoding)
        if self._resampler is None:
            target = self._engines.model(None, Kind.ENHANCE).rate if self.clean else RATE
            self._resampler = Resampler(self.format.rate, target)
        return self._resampler.push(samples)

    async def _pass(self, samples: Samples) -> None:
        if not len(samples):
            return
        if not self.clean:
            await self._heard(samples)
            return
        try:
            if self._cleaner is None:
                self._cleaner = NoiseReducer(self._engines, self._cleaned)
            await self._cleaner.feed(samples)
        except Exception as error:
            await self._lost(error)

    async def _cleaned(self, samples: Samples) -> None:
        await self._heard(samples)
        self._failing = False

    async def _lost(self, error: Exception) -> None:
        await self.close()
        self._cleaner = None
        if not isinstance(error, SpeechError):
            log.exception("noise reduction failed")
            error = EngineFailed("noise reduction failed; the server's log has more")
        if not self._failing:
            self._failing = True
            self._fail(error)


class NoiseReducer:
    """Noise reduction of a stream: an Enhance job, what it says brought to RATE."""

    def __init__(self, engines: Engines, heard: Heard) -> None:
        job = engines.submit(Enhance(priority=Priority.REALTIME))
        self._inbox: Channel[Samples] = Channel(BEHIND * job.model.rate, len)
        self._job = job.fed_by(self._inbox)
        self._down = Resampler(job.model.rate, RATE)
        self._heard = heard
        self._reading = asyncio.create_task(self._read())
        self._inbox.end_after(self._reading)

    async def feed(self, samples: Samples) -> None:
        """Waits only when it is far behind: a model that is being loaded holds up nothing else."""
        await self._inbox.room()
        if self._reading.done():
            await self._reading
        self._inbox.put(np.ascontiguousarray(samples))

    async def finish(self) -> None:
        """Returns when all that was fed is heard. Raises what the job failed with."""
        self._inbox.end()
        await self._reading

    async def close(self) -> None:
        self._job.cancel()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        async with self._job:
            async for event in self._job:
                if isinstance(event, Chunk):
                    await self._heard(self._down.push(from_pcm16(event.pcm16)))
            await self._heard(self._down.flush())
