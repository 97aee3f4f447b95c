"""HTTP/1.1 alone without TLS, and requests that have one meaning.

No browser speaks HTTP/2 there, and no client of ours needs it. Written against hypercorn 0.18.0 (protocol/h11.py),
which has no setting for it, and h11 0.16.0.
"""

from __future__ import annotations

from typing import Any

import h11
from hypercorn import protocol
from hypercorn.protocol.h11 import H11Protocol


def install() -> None:
    """Make Hypercorn use PlainHttp."""
    protocol.H11Protocol = PlainHttp


class PlainHttp(H11Protocol):  # type: ignore[misc]
    """A connection that stays with HTTP/1.1: it ignores the upgrade to h2c, and refuses HTTP/2's preface."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self.connection = PlainParser(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""


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
