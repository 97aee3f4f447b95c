"""A plain WebSocket client of Deepgram's live APIs, and what its messages say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets

Json = dict[str, Any]
CLOSE = json.dumps({"type": "CloseStream"})


@dataclass
class Heard:
    """What a server sent, and how it closed."""

    messages: list[Json] = field(default_factory=list)
    code: int | None = None
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> list[Json]:
        return [message for message in self.messages if message["type"] == kind]

    def finals(self, channel: int = 0) -> list[Json]:
        found = [message for message in self.of("Results") if message["is_final"]]
        return [message for message in found if message["channel_index"][0] == channel]

    def text(self, channel: int = 0) -> str:
        """All final words of a channel."""
        return " ".join(filter(None, (transcript(message) for message in self.finals(channel))))

    def words(self, channel: int = 0) -> list[Json]:
        return [word for message in self.finals(channel) for word in message["channel"]["alternatives"][0]["words"]]


def transcript(message: Json) -> str:
    text: str = message["channel"]["alternatives"][0]["transcript"]
    return text


def pieces(audio: bytes, size: int = 3200) -> list[bytes]:
    return [audio[start : start + size] for start in range(0, len(audio), size)]


async def stream(url: str, query: str, sent: Sequence[str | bytes], path: str = "/v1/listen", **options: Any) -> Heard:
    """Send messages, the last of which ends the stream, and read until the server closes."""
    heard = Heard()
    async with (
        asyncio.timeout(30),
        websockets.connect(f"{url.replace('http', 'ws')}{path}?{query}", **options) as socket,
    ):
        assert socket.response is not None
        heard.headers = dict(socket.response.headers.raw_items())
        sending = asyncio.create_task(_send(socket, sent))
        try:
            async for message in socket:
                heard.messages.append(json.loads(message))
        except websockets.ConnectionClosedError:
            pass
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        heard.code, heard.reason = socket.close_code, socket.close_reason or ""
    return heard


async def _send(socket: websockets.ClientConnection, sent: Sequence[str | bytes]) -> None:
    for message in sent:
        await socket.send(message)
