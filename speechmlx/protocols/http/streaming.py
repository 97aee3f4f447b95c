"""Responses that are sent while they are made: bytes, or server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from speechmlx.errors import SpeechError
from speechmlx.log import note_error
from speechmlx.protocols.http.openai_errors import envelope
from speechmlx.protocols.http.request_body import read_blocks


class StreamedResponse(Response):
    """A body of unknown length. An error in the middle cuts it off: the client sees that its end is missing."""

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str) -> None:
        self._pieces = pieces
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.body = b""
        self.init_headers({"X-Accel-Buffering": "no", "Cache-Control": "no-cache"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class StoredResponse(Response):
    """A body of `size` bytes in a spooled file, with Content-Length."""

    def __init__(self, file: BinaryIO, size: int, media_type: str) -> None:
        self._file = file
        self._size = size
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.body = b""
        self.init_headers({"Content-Length": str(size), "Cache-Control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for block in read_blocks(self._file, self._size):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def server_sent(messages: AsyncIterator[Mapping[str, Any]]) -> StreamedResponse:
    """Server-sent events, each with a message as its data. A SpeechError becomes the last event."""
    return StreamedResponse(_events(messages), "text/event-stream")


async def _events(messages: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    try:
        async for message in messages:
            yield _event(message)
    except SpeechError as error:
        note_error(error.code)
        yield _event({"type": "error", "error": envelope(error)})


def _event(message: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
