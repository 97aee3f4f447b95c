"""Clients that do not read what they are sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.served_app import KB, serving

from speechmlx.protocols.http import connections


class Sending:
    """An app that sends 64 KB over and over, until its client has left."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        sending = asyncio.create_task(self.send_all(send))
        while (await receive())["type"] != "websocket.disconnect":
            pass
        sending.cancel()
        self.ended.set()

    async def send_all(self, send: Any) -> None:
        while True:
            await send({"type": "websocket.send", "bytes": bytes(64 * KB)})
            self.sent += 1
            await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL", 0.3)
    app = Sending()
    async with serving(app) as address:
        await address.connect(receive_buffer=4096)
        await asyncio.wait_for(app.ended.wait(), 5)
        assert app.sent < 200


async def test_a_client_that_reads_slowly_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL", 0.3)
    monkeypatch.setattr(connections, "PROGRESS", 1)
    app = Sending()
    async with serving(app) as address:
        client = await address.connect(receive_buffer=4096)
        for _ in range(20):
            await client.reader.read(64 * KB)
            await asyncio.sleep(0.05)
        assert not app.ended.is_set()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.wait_for(app.ended.wait(), 5)
