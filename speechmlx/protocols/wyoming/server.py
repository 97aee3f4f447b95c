"""The Wyoming server: it listens while the app runs, and leaves when the server is drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from types import TracebackType
from typing import Self

from wyoming.error import Error

from speechmlx.protocols.http.clients import client_at, working_for
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.wyoming.announcement import Announcement
from speechmlx.protocols.wyoming.connection import WyomingConnection
from speechmlx.protocols.wyoming.framing import MAX_HEADER, write_event

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
"""Connections at once; one more is refused."""
LAST_WORDS = 0.2
"""Seconds in which the ends of what ran still reach the clients when the server stops."""


class WyomingServer:
    """Use it with `async with` while the runtime of `services` runs. It takes over `listener`, a bound socket.

    While no client is connected nothing runs. With `announced` it is announced on the network.
    """

    def __init__(self, services: Services, listener: socket.socket, announced: bool = False) -> None:
        self._services = services
        self._listener = listener
        self._announcement = Announcement(listener) if announced else None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, sock=self._listener, limit=MAX_HEADER)
        self._leaving = asyncio.create_task(self._leave())
        if self._announcement is not None:
            self._announcement.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving.cancel()
        connections = self._stop()
        await asyncio.gather(self._leaving, *connections, return_exceptions=True)
        if self._announcement is not None:
            await self._announcement.end()

    async def _leave(self) -> None:
        await self._services.runtime.drained.wait()
        await asyncio.sleep(LAST_WORDS)
        self._stop()

    def _stop(self) -> list[asyncio.Task[None]]:
        """Listen no more and end the connections. Returns those that are ending."""
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        return connections

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_full = len(self._connections) >= MAX_CONNECTIONS
        client = client_at(*(writer.get_extra_info("peername") or ("", 0))[:2])
        with working_for(client):
            serving = _turn_away(writer) if is_full else WyomingConnection(self._services, reader, writer).run()
            task = asyncio.create_task(serving)
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)


async def _turn_away(writer: asyncio.StreamWriter) -> None:
    text = f"{MAX_CONNECTIONS} clients are connected, which is the limit; try again later"
    with contextlib.suppress(OSError):
        await write_event(Error(text, "busy").event(), writer)
    writer.close()
