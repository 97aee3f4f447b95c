"""HTTP/1.1 alone without TLS, requests that have one meaning, and answers that are sent at once.

No browser speaks HTTP/2 there, and no client of ours needs it. Written against hypercorn 0.18.0 (protocol/h11.py),
which has no setting for it, and h11 0.16.0. Hypercorn sends the head of an answer by itself. Each send is a call of the
system, and each lets another thread have the interpreter.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from hypercorn import protocol
from hypercorn.events import RawData
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.h11 import H11Protocol


def install() -> None:
    """Make Hypercorn use PlainHttp."""
    protocol.H11Protocol = PlainHttp


class PlainHttp(H11Protocol):  # type: ignore[misc]
    """A connection that stays with HTTP/1.1: it ignores the upgrade to h2c, and refuses HTTP/2's preface.

    The head of an answer waits for what the app sends in the same turn of the event loop, and for nothing else.
    """

    _head = b""
    """The head that waits."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self.connection = PlainParser(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""

    async def stream_send(self, event: Event) -> None:
        """Send a part of the answer."""
        if isinstance(event, StreamClosed):
            await self._send_head()  # an answer may end without its body
        await super().stream_send(event)

    async def _send_h11_event(self, event: Any) -> None:
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if type(event) is h11.Response:
            self._head = data
            asyncio.get_running_loop().call_soon(self._end_turn)
            return
        head, self._head = self._head, b""
        if head or data:
            await self.send(RawData(data=head + data))

    def _end_turn(self) -> None:
        if self._head:
            self.task_group.spawn(self._send_head)

    async def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            await self.send(RawData(data=head))


class PlainParser(h11.Connection):
    """Refuses requests of another version, and those whose length a proxy before us may understand differently."""

    def next_event(self) -> Any:
        """The next event of the client. Raises h11.RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            if not event.http_version.startswith(b"1."):
                raise h11.RemoteProtocolError("only HTTP/1.1 is spoken here", error_status_hint=505)
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding", error_status_hint=400)
        return event
