"""The servers that are attacked, and one exchange with them over HTTP/1.1."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass

PATIENCE = 60.0
"""Seconds in which the answer to a whole request comes."""
WELCOME = {501, 503, 505, 507}
"""Statuses from 500 on that are documented: what is not here or not turned on, busy, another version of HTTP than 1.x,
and no room on the disk."""


@dataclass(frozen=True)
class Target:
    """Ports of 127.0.0.1: plain HTTP, Wyoming, and HTTP with TLS, for which `trust` is the client's side."""

    http: int
    wyoming: int
    tls: int
    trust: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"


def request(method: str, path: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A request of HTTP/1.1 that asks the server to close; `length`: a Content-Length that may be wrong."""
    size = len(body) if length is None else length
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {size}", *headers)
    return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape") + body


async def exchange(port: int, data: bytes, patience: float, trust: ssl.SSLContext | None = None) -> tuple[bytes, bool]:
    """Send bytes and read to the end of the connection: what came, and whether the end came within `patience` s."""
    name = "localhost" if trust else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=name)
    found = bytearray()
    try:
        async with asyncio.timeout(patience):
            writer.write(data)
            while piece := await reader.read(65536):
                found += piece
    except TimeoutError:
        return bytes(found), False
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.transport.abort()
    return bytes(found), True


def statuses(answer: bytes) -> list[int]:
    """The statuses of all responses in `answer`."""
    return [int(found) for found in re.findall(rb"(?:^|\n|\}|\n0\r\n\r\n)HTTP/1\.1 (\d{3})", answer)]


def judged(found: list[int]) -> str | None:
    """What is wrong with these statuses."""
    bad = [status for status in found if status >= 500 and status not in WELCOME]
    return f"answered {bad}" if bad else None


async def answered(target: Target, data: bytes) -> str | None:
    """What is wrong with the answer to a whole request."""
    answer, ended = await exchange(target.http, data, PATIENCE)
    if not ended:
        return f"no end of the answer within {PATIENCE:g} s: {answer[:200]!r}"
    found = statuses(answer)
    if not found:
        return f"no answer: {answer[:200]!r}"
    return judged(found) and f"{judged(found)}: {answer[-500:]!r}"
