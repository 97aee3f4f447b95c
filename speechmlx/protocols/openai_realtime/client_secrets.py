"""Client secrets: each refers to a session configured over HTTP, which a WebSocket then opens."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from speechmlx.protocols.http.access_keys import AccessKeys, Expiry
from speechmlx.protocols.http.clients import current_client
from speechmlx.protocols.openai_realtime.schema import Json

MAX_SECRETS = 256
"""Number of secrets kept. The oldest are dropped first."""


class Secrets:
    """Sessions by secret. Where `keys` are needed, a secret opens the socket and nothing else until it expires.

    Without keys, a client with an unknown secret gets a new session.
    """

    def __init__(self, keys: AccessKeys) -> None:
        self._keys = keys
        self._sessions: OrderedDict[str, tuple[Expiry, Json]] = OrderedDict()

    def make(self, session: Json, seconds: int) -> Json:
        """Make a secret for `session`, valid for `seconds`. Return its value and its expiry in Unix seconds."""
        value, expiry = f"ek_{secrets.token_hex(16)}", Expiry.after(seconds)
        self._sessions[value] = (expiry, session)
        if (maker := current_client()) is not None and maker.key is not None:
            self._keys.lend(value, expiry, maker.key)
        while len(self._sessions) > MAX_SECRETS:
            self._sessions.popitem(last=False)
        return {"value": value, "expires_at": expiry.at}

    def session(self, value: str) -> Json | None:
        """The session of a secret; None if the secret is unknown or expired."""
        found = self._sessions.get(value)
        return None if found is None or found[0].is_over else found[1]
