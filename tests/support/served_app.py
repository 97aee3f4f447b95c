"""An ASGI app of a test behind Hypercorn as the server sets it up, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from support.frame_socket import FrameSocket, connect

from speechmlx.protocols.http import connections, plain_http, request_stream, socket_stream

KB = 1024


@dataclass
class Address:
    """Where the app is served, and the clients that a test made; they leave at its end."""

    port: int
    clients: list[FrameSocket] = field(default_factory=list)

    async def connect(self, *headers: str, receive_buffer: int | None = None) -> FrameSocket:
        self.clients.append(await connect("127.0.0.1", self.port, "/", *headers, receive_buffer=receive_buffer))
        return self.clients[-1]


@asynccontextmanager
async def serving(app: Any, limit: int = 512 * KB, interval: float = 20.0) -> AsyncIterator[Address]:
    """Serve `app` with messages of `limit` bytes and pings every `interval` seconds."""
    socket_stream.install()
    request_stream.install()
    connections.install()
    plain_http.install()
    listener = socket.create_server(("127.0.0.1", 0))
    address = Address(listener.getsockname()[1])
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.websocket_max_message_size, config.websocket_ping_interval = limit, interval
    config.graceful_timeout = 0.1
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    create = loop.create_server

    async def create_server(*arguments: Any, **options: Any) -> asyncio.Server:
        server = await create(*arguments, **options)
        server.wait_closed = partial(asyncio.sleep, 0)  # type: ignore[method-assign]
        return server

    loop.create_server = create_server  # type: ignore[method-assign]  # as in speechmlx/serve.py
    running = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield address
    finally:
        for client in address.clients:
            client.leave()
        await asyncio.sleep(0.05)
        stop.set()
        await running
