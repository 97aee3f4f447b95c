"""Bodies that come slowly, or announce too much."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from speechmlx.errors import TooLarge, TooSlow
from speechmlx.protocols.http import body_chunks


def dripping(pause: float, chunk: bytes, length: str = "") -> Request:
    """A request whose body comes in equal chunks, without end."""

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": chunk, "more_body": True}

    headers = [(b"content-length", length.encode())] if length else []
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


async def read(request: Request, limit: int = 1000) -> int:
    return sum([len(chunk) async for chunk in body_chunks.body_chunks(request, limit)])


async def test_an_upload_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_chunks, "SILENCE", 0.05)
    with pytest.raises(TooSlow, match=r"the upload paused for more than 0\.05 seconds"):
        await read(dripping(60, b"x"))


async def test_an_upload_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_chunks, "START", 0.1)
    with pytest.raises(TooSlow, match=r"too slow: .* must have 1000 bytes per second"):
        await read(dripping(0.02, b"x"))
    with pytest.raises(TooLarge):
        await read(dripping(0.02, bytes(100)))


async def test_an_upload_of_steady_rate_has_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_chunks, "SECONDS", 0.1)
    with pytest.raises(TooSlow, match=r"end in 0\.1 seconds"):
        await read(dripping(0.02, b"x"))


@pytest.mark.parametrize("length", ["1001", "9" * 5000])
def test_what_is_announced_counts(length: str) -> None:
    with pytest.raises(TooLarge, match="over the limit"):
        body_chunks.check_announced(dripping(0, b"x", length), 1000)
