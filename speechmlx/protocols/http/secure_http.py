"""HTTP/2 whose connections outlive what a client sends for a stream that is over, and end without a trace when abused.

Written against hypercorn 0.18.0 (protocol/h2.py): a byte of a body that comes after its answer, such as a 413, ended
the connection and all its other streams with a KeyError, and so did odd priorities.
"""

from __future__ import annotations

from collections.abc import Sequence

import priority
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event
from h2.exceptions import ProtocolError
from hypercorn import protocol
from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


def install() -> None:
    """Make Hypercorn use SecureHttp."""
    protocol.H2Protocol = SecureHttp


class SecureHttp(H2Protocol):  # type: ignore[misc]
    """One connection of HTTP/2."""

    async def _handle_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                continue
            try:
                await super()._handle_events([event])
            except (ProtocolError, priority.PriorityError, UnicodeDecodeError):
                await self._refuse()
                return
        await self._flush()

    async def _refuse(self) -> None:
        """Tell the client that it breaks the protocol, and close."""
        self.connection.close_connection(ErrorCodes.PROTOCOL_ERROR)
        await self._flush()
        await self.send(Closed())
