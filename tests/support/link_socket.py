"""A client's connection to a LiveLink, without a server: what the client sends and gets, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import Scope
from starlette.websockets import WebSocketState

from speechmlx.protocols.http.delivered import KEY, Delivered


class LinkSocket:
    """`confirms` False: the server in front does not tell what arrived. `stuck`: nothing is taken any more."""

    def __init__(self, confirms: bool = True) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.sent: list[Any] = []
        """What the client got; a close as its code."""
        self.delivered = Delivered()
        self.scope: Scope = {"type": "websocket", **({KEY: self.delivered} if confirms else {})}
        self.may_send = asyncio.Event()
        self.may_send.set()
        self._inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()

    def put(self, *messages: str) -> None:
        """The client sends."""
        for message in messages:
            self._inbox.put_nowait({"type": "websocket.receive", "text": message})

    def leave(self, code: int = 1006) -> None:
        """The connection ends."""
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})

    def confirm(self) -> None:
        """The client's end has all that it was sent."""
        self.delivered.pong(self.delivered.ping())

    async def receive(self) -> MutableMapping[str, Any]:
        return await self._inbox.get()

    async def send_text(self, data: str) -> None:
        await self._take(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._take(data)

    async def close(self, code: int, reason: str) -> None:
        self.application_state = WebSocketState.DISCONNECTED
        self.sent.append(code)

    async def _take(self, data: str | bytes) -> None:
        await self.may_send.wait()
        self.delivered.sent += 1
        self.sent.append(data)
