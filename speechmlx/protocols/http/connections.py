"""The TCP connections of Hypercorn: how long a client may not read and may ask nothing, ends that are heard, and
uploads that leave room for others.

Written against hypercorn 0.18.0 (asyncio/tcp_server.py), whose connections wait for a reader without end, and close
while a client is still sending. What it sends then makes the kernel drop the answer that it has not read. They read
all that has come in one turn of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any
from weakref import WeakKeyDictionary

import h11
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
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

LINGER = 4.0
"""Seconds that a client gets to end a request that was answered before it was whole. What it sends is dropped."""
LARGE = 16 * 1024
"""Bytes received at a time that are part of an upload: one connection in each turn of the event loop reads so many."""
UNFINISHED = (h11.SEND_BODY, h11.ERROR)
"""States of a client whose request is not whole, or no request."""


def install() -> None:
    """Make Hypercorn use ReadConnection."""
    run.TCPServer = ReadConnection


class ReadConnection(TCPServer):  # type: ignore[misc]
    """One connection. It is cut when its client takes less than PROGRESS bytes in STALL seconds, and closed when no
    request comes for a while."""

    _is_bounded = False
    _was_asked = False
    """Whether a request has come."""
    _idle_since: float | None = None
    """When the last request ended, by the event loop's clock; None while there is one."""

    async def protocol_send(self, event: Event) -> None:
        """Send to the client; waits until most of it is on its way."""
        if isinstance(event, Updated):
            self._was_asked |= event.idle
            self._idle_since = self.loop.time() if event.idle else None
        elif isinstance(event, RawData) and self.writer.transport.is_closing():
            await self.protocol.handle(Closed())  # a TLS connection that is over cannot even be written to
        elif isinstance(event, RawData) and self._may_wait(len(event.data)):
            watch = self._watch(len(event.data))
            try:
                await super().protocol_send(event)
            finally:
                watch.cancel()
        elif isinstance(event, Closed) and self._is_unfinished():
            await self._start_linger()
        else:
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        with contextlib.suppress(OSError):
            while not self.reader.at_eof():
                data = await self.reader.read(MAX_RECV)
                if len(data) > LARGE:
                    async with _turns.setdefault(self.context, asyncio.Lock()):
                        await asyncio.sleep(0)
                await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # else the connection and all that it holds would stay for the rest of the time

    def _is_unfinished(self) -> bool:
        """Whether the client may still be sending a request of HTTP/1 that was answered."""
        state = getattr(self.protocol.protocol.connection, "their_state", None)
        return state in UNFINISHED and not self.reader.at_eof() and not self.writer.transport.is_closing()

    async def _start_linger(self) -> None:
        rest = self._linger()
        try:
            self._task_group.spawn(lambda: rest)
        except RuntimeError:  # the server ends and waits for nobody
            rest.close()
            await self._close()

    async def _linger(self) -> None:
        """End the answer, drop what the client still sends, and close."""
        transport: Any = self.writer.transport
        if isinstance(transport.get_protocol(), _Rest) or transport.is_closing():
            return
        rest = _Rest(transport.get_protocol())
        transport.set_protocol(rest)
        with contextlib.suppress(OSError, RuntimeError):  # the client may have left
            if transport.can_write_eof():
                transport.write_eof()
            transport.resume_reading()
            await asyncio.wait({rest.over}, timeout=LINGER)
        transport.set_protocol(rest.usual)
        await self._close()

    async def _idle_timeout(self) -> None:
        """Close the connection when it was idle for too long, or the server ends. One task does it for all requests."""
        self._idle_since = self.loop.time()
        while (left := self._idle_left()) > 0.0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.context.terminated.wait(), left)
                break
        if self._idle_since is not None:
            await asyncio.shield(self._initiate_server_close())

    def _idle_left(self) -> float:
        """Seconds until it may have been idle for too long."""
        if self._idle_since is None:
            return KEEP_ALIVE
        idle: float = self.loop.time() - self._idle_since
        return (KEEP_ALIVE if self._was_asked else FIRST) - idle

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


class _Rest(asyncio.BufferedProtocol):
    """Drops what a client sends. `over` is done when it has ended or has left."""

    def __init__(self, usual: Any) -> None:
        self.usual = usual
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = bytearray(64 * 1024)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Drop them."""

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self.usual.connection_lost(exc)

    def pause_writing(self) -> None:
        self.usual.pause_writing()

    def resume_writing(self) -> None:
        self.usual.resume_writing()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


_turns: WeakKeyDictionary[WorkerContext, asyncio.Lock] = WeakKeyDictionary()
"""Of each server: who has it may read a part of an upload in the next turn of the event loop."""


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
