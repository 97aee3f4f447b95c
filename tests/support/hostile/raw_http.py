"""Bytes of HTTP/1.1 that two readers could understand differently, and requests with damage to their framing."""

from __future__ import annotations

import random

from support.hostile.mutations import mutate
from support.hostile.target import Target, exchange, judged, statuses

INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /speak HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
AMBIGUOUS: dict[str, bytes] = {
    "length and chunks": HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + INNER,
    "chunks and length": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + INNER,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + INNER,
    "list of lengths": HEAD + b"Content-Length: 2, 40\r\n\r\n{}" + INNER,
    "length with a sign": HEAD + b"Content-Length: +2\r\n\r\n{}" + INNER,
    "length in hex": HEAD + b"Content-Length: 0x2\r\n\r\n{}" + INNER,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n{}" + INNER,
    "length without end": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}" + INNER,
    "space before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}" + INNER,
    "chunks twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunks not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INNER,
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "coding behind a tab": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunk size with a sign": HEAD + CHUNKED + b"\r\n+2\r\n{}\r\n0\r\n\r\n" + INNER,
    "chunk size in 0x": HEAD + CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n" + INNER,
    "chunk size of 2^84": HEAD + CHUNKED + b"\r\n1" + b"0" * 20 + b"2\r\n{}\r\n0\r\n\r\n" + INNER,
    "chunk longer than its size": HEAD + CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n" + INNER,
    "folded header": HEAD + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "header without a name": HEAD + b": chunked\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "NUL in a header": HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "CR alone in a header": HEAD + b"X: a\rContent-Length: 90\r\nContent-Length: 2\r\n\r\n{}" + INNER,
    "no host": b"GET /health HTTP/1.1\r\n\r\n" + INNER,
    "two hosts": b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n" + INNER,
    "HTTP 2.0": b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n" + INNER,
    "HTTP 9.9": b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n" + INNER,
    "no version": b"GET /health\r\n\r\n" + INNER,
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
    "upgrade to h2c": HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}" + INNER,
    "headers without end": b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 30_000,
    "a header without end": b"GET /health HTTP/1.1\r\nX: " + b"y" * 300_000,
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
}
"""Each begins a request and then sends one more, INNER. At most the first is answered, and the connection is closed."""
GOOD = (
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    HEAD + b'Content-Length: 16\r\n\r\n{"text": "hello"}'[:-1] + b"}",
    HEAD + CHUNKED + b'\r\n8;a=b\r\n{"text":\r\n8\r\n "abcd"}\r\n0\r\nX: y\r\n\r\n',
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: a, b\r\n\r\n",
)
CLOSES = 10.0
"""Seconds in which a connection is closed whose bytes have two meanings."""
GLIMPSE = 0.15
"""Seconds in which what the server says to damaged bytes is looked at; they may be a request that is not whole."""


async def attack_ambiguous(target: Target, name: str) -> str | None:
    """Send one of AMBIGUOUS; what is wrong with the answer."""
    answer, ended = await exchange(target.http, AMBIGUOUS[name], CLOSES)
    found = statuses(answer)
    if not ended:
        return f"{name}: not closed, answered {found}"
    if len([status for status in found if status >= 200]) > 1:
        return f"{name}: both requests were answered, {found}"
    return judged(found) and f"{name}: {judged(found)}"


async def attack(target: Target, draw: random.Random) -> str | None:
    """Send a few requests with damage in one go; what is wrong with the answer."""
    if draw.random() < 0.2:
        return await attack_ambiguous(target, draw.choice(list(AMBIGUOUS)))
    whole = b"".join(draw.choice(GOOD) for _ in range(draw.randint(1, 4)))
    answer, _ = await exchange(target.http, mutate(whole, draw, draw.choice(list(AMBIGUOUS.values()))), GLIMPSE)
    return judged(statuses(answer))
