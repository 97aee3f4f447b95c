"""A WebSocket without a server: a handler gets what the test puts in, and what it sends is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket


class RawSocket:
    """`put` a client's messages, bytes or text; None: it leaves. `sent` has texts, and close codes as numbers."""

    def __init__(self, *messages: str | bytes | None, path: str = "/") -> None:
        self.sent: list[Any] = []
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        for message in messages:
            self.put(message)
        scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
        self.socket = WebSocket(scope, self._inbox.get, self._send)

    def put(self, message: str | bytes | None) -> None:
        if message is None:
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
        else:
            kind = "text" if isinstance(message, str) else "bytes"
            self._inbox.put_nowait({"type": "websocket.receive", kind: message})

    async def _send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            self.sent.append(message["code"])
        elif message["type"] == "websocket.send":
            self.sent.append(json.loads(message["text"]))
