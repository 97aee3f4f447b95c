"""RFC 6455: the Autobahn suite on the server's WebSockets, and frames that break the protocol on every live wire."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.access_policy import ACTS
from support.frame_socket import BINARY, CLOSE, CONTINUATION, PING, TEXT, connect, frame
from support.websocket_cases import run_cases

PATHS = {path: path for method, path in ACTS if method == "WS"}
PATHS["/v1/listen"] += "?encoding=linear16&sample_rate=16000"
PATHS["/v2/listen"] += "?model=flux-general-en&encoding=linear16&sample_rate=16000"
BREACHES = {
    "no mask": (b"\x81\x02{}", 1002),
    "reserved bit": (frame(TEXT, b"{}", compressed=True), 1002),
    "opcode 3": (frame(3, b"{}"), 1002),
    "opcode 11": (frame(11), 1002),
    "ping in fragments": (frame(PING, b"x", last=False), 1002),
    "ping of 126 bytes": (frame(PING, bytes(126)), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "message within a message": (frame(BINARY, b"x", last=False) + frame(TEXT, b"{}"), 1002),
    "length not minimal": (b"\x82\xfe\x00\x01\0\0\0\0x", 1002),
    "length of 2^63": (b"\x82\xff\x80" + bytes(7) + bytes(4), 1002),
    "text that is no UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text that ends in a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close with 1005": (frame(CLOSE, b"\x03\xed"), 1002),
    "close with no UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the suite leaves files of its open
async def test_the_autobahn_suite() -> None:
    """All but section 9, of size and time: scripts/soak websocket."""
    cases = await run_cases(but=["9.*"], parallel=8)
    assert len(cases) > 400
    assert [case for case in cases if not case.expected] == []


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_a_frame_that_breaks_the_protocol_closes_its_socket(listening: Any, path: str) -> None:
    place = urlsplit(listening.url)

    async def code(data: bytes) -> int:
        client = await connect(place.hostname or "", place.port or 0, path)
        await client.send(data)
        try:
            return (await asyncio.wait_for(client.closed(), 10))[0]
        finally:
            client.leave()

    found = {name: await code(data) for name, (data, _) in BREACHES.items()}
    assert found == {name: wanted for name, (_, wanted) in BREACHES.items()}
