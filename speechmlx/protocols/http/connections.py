"""The TCP connections of Hypercorn with bounds on how long a client may not read what it is sent, and may ask nothing.

Written against hypercorn 0.18.0 (asyncio/tcp_server.py), whose connections wait for a reader without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData, Updated

FIRST = 20.0
"""Seconds in which the first request of a connection has to come. A client on a busy machine may need some."""
KEEP_ALIVE = 75.0
"""Seconds that a connection stays open between requests. It is longer than most clients keep one that they may use
again: where the server closes first, a request that is on its way is lost."""
STALL = 60.0
"""Seconds in which a client has to take some of what waits for it."""
PROGRESS = 16 * 1024
"""Bytes that it has to take in that time."""
KERNEL_BUFFER = 256 * 1024
"""Bytes sent that the kernel keeps. Where it keeps megabytes, nothing shows for minutes that a client reads slowly."""


def install() -> None:
    """Make Hypercorn use ReadConnection."""
    run.TCPServer = ReadConnection


class ReadConnection(TCPServer):  # type: ignore[misc]
    """One connection. It is cut when its client takes less than PROGRESS bytes in STALL seconds, and closed when no
    request comes for a while."""

    _is_bounded = False
    _was_asked = False
    """Whether a request has come."""

    async def protocol_send(self, event: Event) -> None:
        """Send to the client; waits until most of it is on its way."""
        if isinstance(event, Updated) and event.idle:
            self._was_asked = True
        if isinstance(event, RawData) and self.writer.transport.is_closing():
            await self.protocol.handle(Closed())  # a TLS connection that is over cannot even be written to
        elif isinstance(event, RawData) and self._may_wait(len(event.data)):
            watch = self._watch(len(event.data))
            try:
                await super().protocol_send(event)
            finally:
                watch.cancel()
        else:
            await super().protocol_send(event)

    async def _idle_timeout(self) -> None:
        with contextlib.suppress(TimeoutError):
            seconds = KEEP_ALIVE if self._was_asked else FIRST
            await asyncio.wait_for(self.context.terminated.wait(), seconds)
        await asyncio.shield(self._initiate_server_close())

    async def _close(self) -> None:
        watch = self._watch(0)
        try:
            with contextlib.suppress(OSError):  # TLS data after the client's goodbye is an SSLError, which is one
                await super()._close()
        finally:
            watch.cancel()

    def _may_wait(self, more: int) -> bool:
        """Whether what waits now with `more` bytes may be too much to be sent at once."""
        return bool(_waiting(self.writer.transport)) or more > PROGRESS

    def _watch(self, more: int) -> _Watch:
        """Cut the connection if the bytes that wait now, and `more`, do not get fewer."""
        transport = self.writer.transport
        if not self._is_bounded:
            self._is_bounded = True
            with contextlib.suppress(OSError, AttributeError):  # the connection may be over
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        return _Watch(transport, _waiting(transport) + more)


def _waiting(transport: Any) -> int:
    """Bytes that wait for the client; 0 on a TLS connection that is over, which cannot be asked."""
    try:
        return int(transport.get_write_buffer_size())
    except AttributeError:
        return 0


class _Watch:
    def __init__(self, transport: Any, waiting: int) -> None:
        self._transport = transport
        self._waiting = waiting
        self._timer = asyncio.get_running_loop().call_later(STALL, self._check)

    def cancel(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        waiting = _waiting(self._transport)
        if waiting and waiting > self._waiting - PROGRESS:
            self._transport.abort()
            return
        self._waiting = waiting
        self._timer = asyncio.get_running_loop().call_later(STALL, self._check)
