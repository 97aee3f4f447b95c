"""Request bodies as ASGI messages, and multipart forms."""

from __future__ import annotations

from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.types import Message

from speechmlx.protocols.http.request_body import Body, read_body

FORM_TYPE = "multipart/form-data; boundary=B"
SOUND = b"RIFF\x00\x00\r\n\xff--B"
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n\r\n--Bx\r\n--B--\r\n'
)


async def read_chunks(
    chunks: list[bytes],
    kind: str = "",
    limit: int = 1000,
    query: str = "",
    length: int | str | None = None,
    whole: bool = True,
) -> tuple[Body, bytes | None]:
    """The body of a request that arrives as `chunks`; unless `whole`, the client then leaves."""
    end: Message = {"type": "http.request", "body": b""} if whole else {"type": "http.disconnect"}
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + [end]
    sent = [("content-type", kind)] if kind else []
    sent += [("content-length", str(length))] if length is not None else []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent],
    }

    async def receive() -> Message:
        return messages.pop(0)

    async with AsyncExitStack() as stack:
        body = await read_body(Request(scope, receive), limit, stack)
        return body, body.upload.read() if body.upload else None


def part(disposition: str, data: bytes, *headers: str, last: bool = True) -> bytes:
    """A part of a form, and unless it is not the `last` the form's end."""
    head = "\r\n".join((f"Content-Disposition: form-data; {disposition}", *headers))
    return f"--B\r\n{head}\r\n\r\n".encode() + data + (b"\r\n--B--\r\n" if last else b"\r\n")
