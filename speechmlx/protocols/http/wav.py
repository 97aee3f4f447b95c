"""WAV responses: a whole recording with its length, or a stream that is sent while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from speechmlx.protocols.http.request_body import read_blocks, spool, write
from speechmlx.types import Chunk, Event


@dataclass(frozen=True)
class Recording:
    """The PCM16 of an answer: `size` bytes at `rate` Hz in `file`, which is on disk if it is long."""

    file: BinaryIO
    size: int
    rate: int

    @property
    def samples(self) -> int:
        """The number of samples."""
        return self.size // 2

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return self.samples / self.rate

    def wav(self) -> bytes:
        """The recording as a WAV file. Blocks while it reads the file; call it on a thread."""
        from speechmlx.audio.encode import wav_header

        self.file.seek(0)
        return wav_header(self.rate, self.samples) + self.file.read()


async def record_speech(
    events: AsyncIterator[Event], rate: int, stack: AsyncExitStack, first: bytes = b""
) -> Recording:
    """Record `first`, PCM16 at `rate` Hz, and every Chunk of `events`. `stack` closes the file. Raises NoRoom."""
    file = spool(stack)
    size = len(first)
    await write(file, first, size)
    async for event in events:
        if isinstance(event, Chunk):
            size, rate = size + len(event.pcm16), event.rate
            await write(file, event.pcm16, size)
    return Recording(file, size, rate)


class WavResponse(Response):
    """A whole Recording as WAV, with Content-Length."""

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
        await send({"type": "http.response.body", "body": self._header, "more_body": True})
        async for block in read_blocks(self._recording.file, self._recording.size):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class WavStream(Response):
    """WAV that is sent while it is made: a header with an open length, then each Chunk as it comes."""

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


async def stream_wav(events: AsyncIterator[Event], rate: int) -> WavStream:
    """Wait for the first Chunk, so that an early failure has its own status. `rate` in Hz is used when none comes."""
    async for event in events:
        if isinstance(event, Chunk):
            return WavStream(event, events)
    return WavStream(Chunk(b"", rate), events)
