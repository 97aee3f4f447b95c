"""A container as a live stream (WebM/Opus, Ogg, MP3, FLAC, MP4 fragments, WAV) → samples, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from speechmlx.audio.stream_decode import StreamDecoder
from speechmlx.runtime.channel import Channel

if TYPE_CHECKING:
    from speechmlx.types import Samples

MAX_WAITING = 4 * 1024 * 1024
"""Bytes that may wait to be decoded before the client waits."""
MAX_DECODED = 60.0
"""Seconds of samples that may wait to be delivered before the client waits."""
POLL = 0.01
"""Seconds between two looks at a decoder that is behind."""


class ContainerInput:
    """Decodes to `rate` Hz. `on_samples` gets the samples in order, on the event loop."""

    def __init__(self, rate: int, channel: int | None, on_samples: Callable[[Samples], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        self._on_samples = on_samples
        self._samples: Channel[Samples] = Channel(MAX_DECODED * rate, len)
        self._decoder = StreamDecoder(rate, lambda samples: _call(loop, lambda: self._samples.put(samples)), channel)
        self._delivering = asyncio.create_task(self._deliver())

    async def push(self, data: bytes) -> None:
        """The next bytes; waits while the decoder is far behind. Raises BadAudio."""
        while self._decoder.waiting > MAX_WAITING:  # noqa: ASYNC110 - a decoder tells nobody when it has caught up
            await asyncio.sleep(POLL)
        await self._samples.room()
        self._decoder.push(data)

    async def finish(self) -> None:
        """End the stream; all of it is delivered when this returns. Raises BadAudio."""
        try:
            await asyncio.to_thread(self._decoder.finish)
        finally:
            self._samples.end()
            await self._delivering

    async def close(self) -> None:
        """Stop at once."""
        self._decoder.close()
        self._delivering.cancel()
        await asyncio.gather(self._delivering, return_exceptions=True)

    async def _deliver(self) -> None:
        async for samples in self._samples:
            await self._on_samples(samples)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Run `function` on the loop, from the decoder's thread; a loop that is closed needs no samples."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
