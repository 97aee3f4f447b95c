"""Client secrets: sessions made over HTTP that a client then opens, without repeating what they are."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from speechmlx.protocols.openai_realtime.schema import Json

MOST = 256
"""Secrets kept; the oldest go first."""


class Secrets:
    """Sessions by their secret, until it expires. Any other bearer is welcome and opens a session of its own."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, tuple[float, Json]] = OrderedDict()

    def make(self, session: Json, seconds: int) -> Json:
        """A secret for `session`: its value, and when it expires in Unix seconds."""
        value, expires_at = f"ek_{secrets.token_hex(16)}", int(time.time()) + seconds
        self._sessions[value] = (expires_at, session)
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return {"value": value, "expires_at": expires_at}

    def session(self, value: str) -> Json | None:
        """What the secret was made for."""
        expires_at, session = self._sessions.get(value, (0.0, None))
        return session if time.time() < expires_at else None
