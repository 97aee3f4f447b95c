"""HTTP/1.1 alone on connections without TLS, and connections that end when the client leaves.

No browser speaks HTTP/2 there, and no client of ours needs it. Written against hypercorn 0.18.0 (protocol/h11.py),
which has no setting for it.
"""

from __future__ import annotations

import h11
from hypercorn import protocol
from hypercorn.events import Closed, Event, Updated
from hypercorn.protocol.h11 import H11Protocol


def install() -> None:
    """Make Hypercorn use PlainHttp."""
    protocol.H11Protocol = PlainHttp


class PlainHttp(H11Protocol):  # type: ignore[misc]
    """A connection that stays with HTTP/1.1: it ignores the upgrade to h2c, and refuses HTTP/2's preface."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""

    async def handle(self, event: Event) -> None:
        """Take what the client sent, or that it has left."""
        await super().handle(event)
        if isinstance(event, Closed):
            await self.send(Updated(idle=False))  # else its descriptor stays open for the rest of the idle time
