"""A container as a live stream (WebM/Opus, Ogg, MP3, FLAC, MP4 fragments, WAV) → samples, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from speechmlx.audio.stream_decode import StreamDecoder
from speechmlx.runtime.channel import Channel

if TYPE_CHECKING:
    from speechmlx.types import Samples

MAX_WAITING = 4 * 1024 * 1024
"""Bytes that may wait to be decoded before the client waits."""
MAX_DECODED = 60.0
"""Seconds of samples that may wait to be delivered before the decoder waits."""
POLL = 0.01
"""Seconds between two looks at a decoder that is behind."""


class ContainerInput:
    """Decodes to `rate` Hz. `on_samples` gets the samples in order, on the event loop."""

    def __init__(self, rate: int, channel: int | None, on_samples: Callable[[Samples], Awaitable[None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_samples = on_samples
        self._samples: Channel[Samples] = Channel(MAX_DECODED * rate, len)
        self._is_delivering = False
        self._delivering = asyncio.create_task(self._deliver())
        self._samples.end_after(self._delivering)
        self._decoder = StreamDecoder(rate, self._on_decoded, channel)

    async def push(self, data: bytes) -> None:
        """The next bytes; waits while the decoder is far behind. Raises BadAudio, and what `on_samples` raised."""
        while self._decoder.waiting > MAX_WAITING:  # noqa: ASYNC110 (a decoder has no event for it)
            await asyncio.sleep(POLL)
        if self._delivering.done():
            await self._delivering
        self._decoder.push(data)

    async def settle(self) -> None:
        """All that can be decoded of what was pushed is delivered when this returns; the stream goes on.

        Raises BadAudio, and what `on_samples` raised.
        """
        while self._is_behind:  # noqa: ASYNC110 (a decoder has no event for it)
            await asyncio.sleep(POLL)
        if self._delivering.done():
            await self._delivering
        if self._decoder.error is not None:
            raise self._decoder.error

    @property
    def _is_behind(self) -> bool:
        waiting = not self._decoder.idle or self._samples.waiting > 0 or self._is_delivering
        return waiting and not self._delivering.done()

    async def finish(self) -> None:
        """End the stream; all of it is delivered when this returns. Raises BadAudio, and what `on_samples` raised."""
        try:
            await asyncio.to_thread(self._decoder.finish)
        finally:
            self._samples.end()
            await self._delivering

    async def close(self) -> None:
        """Stop at once."""
        self._decoder.close()
        self._samples.end()
        self._delivering.cancel()
        await asyncio.gather(self._delivering, return_exceptions=True)

    async def _deliver(self) -> None:
        async for samples in self._samples:
            self._is_delivering = True
            await self._on_samples(samples)
            self._is_delivering = False

    def _on_decoded(self, samples: Samples) -> None:
        """Runs on the decoder's thread, which waits for room. A loop that ends needs no samples."""
        sending = self._samples.send(samples)
        try:
            asyncio.run_coroutine_threadsafe(sending, self._loop).result()
        except (RuntimeError, CancelledError):
            sending.close()
