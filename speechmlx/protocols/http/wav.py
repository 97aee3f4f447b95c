"""Sound out over HTTP: a whole WAV with its true length, or a WAV sent while it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from speechmlx.protocols.http.request_body import MEMORY, spool, write
from speechmlx.types import Chunk, Event

BLOCK = 256 * 1024
"""Bytes sent at a time."""


@dataclass(frozen=True)
class Recording:
    """All the PCM16 of an answer, `size` bytes at `rate` Hz; a long one lies on disk."""

    file: BinaryIO
    size: int
    rate: int

    @property
    def samples(self) -> int:
        return self.size // 2

    @property
    def duration(self) -> float:
        return self.samples / self.rate

    def wav(self) -> bytes:
        """The whole as WAV. Reads the file: not for long ones on an event loop."""
        from speechmlx.audio.encode import wav_header

        self.file.seek(0)
        return wav_header(self.rate, self.samples) + self.file.read()


async def record(events: AsyncIterator[Event], rate: int, stack: AsyncExitStack, first: bytes = b"") -> Recording:
    """`first`, at `rate` Hz, and every Chunk among `events`."""
    file = spool(stack)
    size = len(first)
    await write(file, first, size)
    async for event in events:
        if isinstance(event, Chunk):
            size, rate = size + len(event.pcm16), event.rate
            await write(file, event.pcm16, size)
    return Recording(file, size, rate)


class WavResponse(Response):
    """A Recording with Content-Length and the true header."""

    media_type = "audio/wav"

    def __init__(self, recording: Recording, headers: Mapping[str, str] | None = None) -> None:
        from speechmlx.audio.encode import wav_header

        self._header = wav_header(recording.rate, recording.samples)
        self._recording = recording
        self.status_code = 200
        self.background = None
        self.body = b""
        self.init_headers({**(headers or {}), "Content-Length": str(len(self._header) + recording.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        block = self._header
        file, in_memory = self._recording.file, self._recording.size < MEMORY
        file.seek(0)
        while block:
            await send({"type": "http.response.body", "body": block, "more_body": True})
            block = file.read(BLOCK) if in_memory else await asyncio.to_thread(file.read, BLOCK)
        await send({"type": "http.response.body", "body": b""})


class WavStream(Response):
    """WAV while it is made: one header that leaves the length open, then each Chunk as it comes."""

    media_type = "audio/wav"

    def __init__(self, first: Chunk, rest: AsyncIterator[Event]) -> None:
        self._first = first
        self._rest = rest
        self.status_code = 200
        self.background = None
        self.body = b""
        self.init_headers({"X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from speechmlx.audio.encode import wav_header

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        start = wav_header(self._first.rate, None) + self._first.pcm16
        await send({"type": "http.response.body", "body": start, "more_body": True})
        async for event in self._rest:
            if isinstance(event, Chunk):
                await send({"type": "http.response.body", "body": event.pcm16, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def stream(events: AsyncIterator[Event], rate: int) -> WavStream:
    """Waits for the first Chunk, so that what fails before it has its own status; `rate` counts when none comes."""
    async for event in events:
        if isinstance(event, Chunk):
            return WavStream(event, events)
    return WavStream(Chunk(b"", rate), events)
