"""How much of what a WebSocket's app sent has surely reached the client: its pongs tell."""

from __future__ import annotations

from starlette.types import Scope

KEY = "speechmlx.delivered"
"""Key of the Delivered in a socket's scope. A server without it tells nothing."""
INTERVAL = 1.0
"""Seconds between two pings that ask for it, at least."""


class Delivered:
    """Counts messages. A ping names how many were sent before it; its pong says that they have come."""

    def __init__(self) -> None:
        self.sent = 0
        """Messages that the app sent."""
        self.confirmed = 0
        """Messages of them that the client's end has."""
        self._asked: int | None = None
        """Messages before the newest ping without an answer."""

    @property
    def unknown(self) -> bool:
        """Whether a ping would tell more, and none is under way."""
        return self._asked is None and self.confirmed < self.sent

    def ping(self) -> bytes:
        """The content of a ping that is sent now."""
        self._asked = self.sent
        return str(self.sent).encode()

    def pong(self, content: bytes) -> None:
        """A pong came. Only the answer to the newest ping counts."""
        if self._asked is not None and content == str(self._asked).encode():
            self.confirmed, self._asked = self._asked, None


def confirmed(scope: Scope) -> int | None:
    """Messages of the app that surely reached the client; None where the server cannot tell."""
    delivered = scope.get(KEY)
    return delivered.confirmed if isinstance(delivered, Delivered) else None
