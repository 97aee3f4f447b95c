"""HTTP/2 whose connections outlive what a client sends for a stream that is over, and end without a trace when abused.

Written against hypercorn 0.18.0 (protocol/h2.py). There a byte of a body that comes after its answer, such as a 413,
ends the connection and all its other streams with a KeyError, and so do odd priorities; the task of a stream that ends
while its answer waits to be sent waits for ever, and keeps the answer; and a client may reset streams as fast as it
opens them, while a task for each is still at work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingReceived, PriorityUpdated, RemoteSettingsChanged, StreamReset
from h2.exceptions import ProtocolError
from hypercorn import protocol
from hypercorn.events import Closed, RawData
from hypercorn.events import Event as ConnectionEvent
from hypercorn.protocol.h2 import H2Protocol
from priority.priority import PriorityError

from speechmlx.protocols.http.rate import Allowance

RESETS, RESETS_AT_ONCE = 10.0, 100.0
"""Streams a second, and at once, that a client may take back. One that takes back more is closed."""
CONTROL, CONTROL_AT_ONCE = 20.0, 500.0
"""Pings, settings and priorities a second, and at once. A client that sends more is closed."""


def install() -> None:
    """Make Hypercorn use SecureHttp."""
    protocol.H2Protocol = SecureHttp


class SecureHttp(H2Protocol):  # type: ignore[misc]
    """One connection of HTTP/2."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self._resets = Allowance(RESETS, RESETS_AT_ONCE)
        self._control = Allowance(CONTROL, CONTROL_AT_ONCE)

    async def _handle_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._too_many(event):
                await self._refuse(ErrorCodes.ENHANCE_YOUR_CALM)
                return
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                continue
            try:
                await super()._handle_events([event])
            except (ProtocolError, PriorityError, UnicodeDecodeError):
                await self._refuse(ErrorCodes.PROTOCOL_ERROR)
                return
        await self._flush()

    async def handle(self, event: ConnectionEvent) -> None:
        """Take what the client sent, or that it has left."""
        if self.closed and isinstance(event, RawData):
            return
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()

    async def _close_stream(self, stream_id: int) -> None:
        await super()._close_stream(stream_id)
        if stream_id in self.stream_buffers:
            await self.stream_buffers[stream_id].close()  # who waits for it to be sent need not any more

    def _too_many(self, event: Event) -> bool:
        if isinstance(event, StreamReset):
            return self._resets.take(time.monotonic()) > 0
        if isinstance(event, PingReceived | RemoteSettingsChanged | PriorityUpdated):
            return self._control.take(time.monotonic()) > 0
        return False

    async def _refuse(self, code: ErrorCodes) -> None:
        """Tell the client why, and close."""
        self.connection.close_connection(code)
        await self._flush()
        self.closed = True
        await self.send(Closed())
