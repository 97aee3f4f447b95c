"""Clients that attack a live socket, against a real server: others are served meanwhile, and nothing stays."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.frame_socket import PING, TEXT, FrameSocket, connect, frame

HEALTH = 0.05
"""Seconds that /health may take, in the middle of the attack."""


def message(**fields: Any) -> bytes:
    return frame(TEXT, json.dumps(fields).encode())


async def attacked(server: Any, *headers: str) -> FrameSocket:
    place = urlsplit(server.url)
    return await connect(place.hostname or "", place.port or 0, "/v1/realtime", *headers)


async def health_while(server: Any, attack: Awaitable[Any]) -> list[float]:
    """Seconds of each /health until the attack is over."""
    running, waits = asyncio.ensure_future(attack), list[float]()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=10) as client:
        await client.get("/health")
        while not running.done():
            began = time.monotonic()
            assert (await client.get("/health")).status_code == 200
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.01)
    await running
    return sorted(waits)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frame(PING) * 100_000, "pings or empty frames"),
        (frame(TEXT, last=False) + frame(0, last=False) * 100_000, "pings or empty frames"),
        (message(type="dance") * 12_000, "were refused"),
    ],
    ids=["pings", "empty fragments", "unknown events"],
)
async def test_frames_without_end_close_their_socket_alone(all_scripted: Any, data: bytes, said: str) -> None:
    client = await attacked(all_scripted)

    async def attack() -> None:
        sending = asyncio.create_task(client.send(data))
        code, reason = await asyncio.wait_for(client.closed(), 30)
        assert code == 1008 and said in reason
        await sending

    waits = await health_while(all_scripted, attack())
    client.leave()
    assert not waits or waits[len(waits) // 2] < HEALTH


async def test_items_without_end_are_refused(all_scripted: Any) -> None:
    """Each is allowed, but not all of them together."""
    client = await attacked(all_scripted)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 1_000_000}]}

    async def attack() -> list[Any]:
        sending = asyncio.create_task(client.send(message(type="conversation.item.create", item=item) * 20))
        found: list[Any] = []
        while len(found) < 20:
            opcode, data = await client.receive()
            event = json.loads(data) if opcode == TEXT else {}
            if event.get("type") in ("error", "conversation.item.added"):
                found.append(event)
        await sending
        return found

    found = await asyncio.wait_for(attack(), 30)
    client.leave()
    codes = [event["error"]["code"] for event in found if event["type"] == "error"]
    assert codes and set(codes) == {"conversation_full"} and len(found) - len(codes) == 16
