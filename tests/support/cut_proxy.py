"""A TCP proxy whose connections break when a test says so, with what is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class CutProxy:
    """Passes bytes on between clients and a server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._up, self._down = _open(), _open()
        self.url = ""

    def deafen(self) -> None:
        """From now on nothing of the server arrives, and nobody is told; until `cut`."""
        self._down.clear()

    def swallow(self) -> None:
        """From now on nothing arrives, on either side."""
        self._up.clear()
        self._down.clear()

    def cut(self) -> None:
        """Break every connection; what was swallowed is lost. New ones work."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._up, self._down = _open(), _open()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, up_writer]
        copies = [
            asyncio.create_task(_copy(reader, up_writer, self._up)),
            asyncio.create_task(_copy(up_reader, writer, self._down)),
        ]
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        for copy in copies:
            copy.cancel()
        for one in (writer, up_writer):
            one.close()


def _open() -> asyncio.Event:
    passes = asyncio.Event()
    passes.set()
    return passes


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    try:
        while data := await reader.read(65536):
            await passes.wait()
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass


@asynccontextmanager
async def cut_proxy(url: str) -> AsyncIterator[CutProxy]:
    """A proxy before the server at `url`."""
    place = urlsplit(url)
    proxy = CutProxy(place.hostname or "", place.port or 0)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.cut()
        listening.close()
