"""Bytes as a client sends them → samples at RATE, with less noise where the client asked for that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio.pcm import from_pcm16
from speechmlx.audio.resample import Resampler
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.buffer import RATE
from speechmlx.conversation.input.container import ContainerInput
from speechmlx.conversation.settings import Settings
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Enhance, Kind, Priority

if TYPE_CHECKING:
    from speechmlx.types import Samples

    OnSamples = Callable[[Samples], Awaitable[None]]

log = logging.getLogger(__name__)

BEHIND = 120.0
"""Seconds of audio that may wait for the noise reduction before the client waits."""
INLINE = 48000
"""Bytes that are decoded on the event loop; more goes to a thread."""


class AudioInput:
    """One client's audio. `on_samples` gets the samples in order.

    `on_error` gets an error of the noise reduction once, until it works again: the next audio tries again. `on_decoded`
    gets the seconds of audio that came out of a container; what it raises ends the container.
    """

    def __init__(
        self, engines: Engines, settings: Settings, on_samples: OnSamples, on_error: Callable[[SpeechError], None]
    ) -> None:
        self.format = settings.input
        self.reduces_noise = settings.clean
        self._engines = engines
        self._on_samples = on_samples
        self._on_error = on_error
        self.on_decoded: Callable[[float], None] = lambda seconds: None
        self._failing = False
        self._incomplete = b""
        """The beginning of a frame of samples whose rest has not come."""
        self._resampler: Resampler | None = None
        self._container: ContainerInput | None = None
        self._noise_reducer: NoiseReducer | None = None

    async def push(self, data: bytes) -> None:
        """The next bytes, any number. Raises BadAudio for a container that cannot be decoded."""
        if self.format.encoding == "container":
            if self._container is None:
                self._container = ContainerInput(self._decoded_rate, self.format.channel, self._take_decoded)
            await self._container.push(data)
            return
        data = self._incomplete + data
        whole = len(data) // self.format.width * self.format.width
        data, self._incomplete = data[:whole], data[whole:]
        if data:
            await self._pass(await asyncio.to_thread(self._decode, data) if len(data) > INLINE else self._decode(data))

    async def finish(self) -> None:
        """As `flush`; and a container ends: what comes next is another one. Raises BadAudio."""
        container, self._container = self._container, None
        try:
            if container is not None:
                await container.finish()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """As `settle`; and a sample that is not complete is dropped. Raises BadAudio."""
        self._incomplete = b""
        await self.settle()

    async def settle(self) -> None:
        """All samples that were pushed are delivered when this returns: filters and noise reduction are flushed.

        A container goes on. Raises BadAudio once where it cannot be decoded: what comes next is another one.
        """
        try:
            if self._container is not None:
                await self._settle_container(self._container)
        finally:
            await self._flush_filters()

    async def _settle_container(self, container: ContainerInput) -> None:
        try:
            await container.settle()
        except SpeechError:
            self._container = None
            await container.close()
            raise

    async def _flush_filters(self) -> None:
        if self._resampler is not None:
            tail, self._resampler = self._resampler.flush(), None
            await self._pass(tail)
        if self._noise_reducer is not None:
            try:
                await self._noise_reducer.finish()
            except Exception as error:
                await self._fail(error)
            self._noise_reducer = None

    async def configure(self, settings: Settings) -> None:
        """Use other settings from here on."""
        if (settings.input, settings.clean) != (self.format, self.reduces_noise):
            await self.finish()
            self.format, self.reduces_noise = settings.input, settings.clean

    async def close(self) -> None:
        """Stop everything under way."""
        if self._container is not None:
            await self._container.close()
        if self._noise_reducer is not None:
            await self._noise_reducer.close()

    @property
    def _decoded_rate(self) -> int:
        """Hz that the noise reduction takes, or RATE."""
        return self._engines.model(None, Kind.ENHANCE).rate if self.reduces_noise else RATE

    def _decode(self, data: bytes) -> Samples:
        if self._resampler is None:
            self._resampler = Resampler(self.format.rate, self._decoded_rate)
        return self._resampler.push(self.format.decode(data))

    async def _take_decoded(self, samples: Samples) -> None:
        self.on_decoded(len(samples) / self._decoded_rate)
        await self._pass(samples)

    async def _pass(self, samples: Samples) -> None:
        if not len(samples):
            return
        if not self.reduces_noise:
            await self._on_samples(samples)
            return
        try:
            if self._noise_reducer is None:
                self._noise_reducer = NoiseReducer(self._engines, self._on_reduced)
            await self._noise_reducer.feed(samples)
        except Exception as error:
            await self._fail(error)

    async def _on_reduced(self, samples: Samples) -> None:
        await self._on_samples(samples)
        self._failing = False

    async def _fail(self, error: Exception) -> None:
        if self._noise_reducer is not None:
            await self._noise_reducer.close()
        self._noise_reducer = None
        if not isinstance(error, SpeechError):
            log.exception("noise reduction failed")
            error = EngineFailed("noise reduction failed; the server's log has more")
        if not self._failing:
            self._failing = True
            self._on_error(error)


class NoiseReducer:
    """Noise reduction of a stream: an Enhance job, whose output is brought to RATE."""

    def __init__(self, engines: Engines, on_samples: OnSamples) -> None:
        job = engines.submit(Enhance(priority=Priority.REALTIME))
        self._input: Channel[Samples] = Channel(BEHIND * job.model.rate, len)
        self._job = job.fed_by(self._input)
        self._down = Resampler(job.model.rate, RATE)
        self._on_samples = on_samples
        self._reading = asyncio.create_task(self._read())
        self._input.end_after(self._reading)

    async def feed(self, samples: Samples) -> None:
        """The next samples, at the model's rate. Waits only when it is far behind."""
        await self._input.room()
        if self._reading.done():
            await self._reading
        self._input.put(np.ascontiguousarray(samples))

    async def finish(self) -> None:
        """Returns when all that was fed is delivered. Raises what the job failed with."""
        self._input.end()
        await self._reading

    async def close(self) -> None:
        """Stop at once."""
        self._job.cancel()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        async with self._job:
            async for event in self._job:
                if isinstance(event, Chunk):
                    await self._on_samples(self._down.push(from_pcm16(event.pcm16)))
            await self._on_samples(self._down.flush())
