"""Messages of webhooks, signed as the Standard Webhooks specification says: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from speechmlx.errors import BadRequest

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def read_secret(text: str) -> bytes:
    """The bytes of a secret. Raises BadRequest."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(secret) <= LONGEST:
        raise BadRequest(
            f"webhook_secret must be {PREFIX} and {SHORTEST} to {LONGEST} random bytes in base64; make one with "
            "echo whsec_$(openssl rand -base64 32)"
        )
    return secret


def signed_headers(secret: bytes | None, id: str, now: float, body: bytes) -> dict[str, str]:
    """The headers of a message with this id, sent at `now` in Unix seconds. Without a secret there is no signature."""
    headers = {"webhook-id": id, "webhook-timestamp": str(int(now))}
    if secret is not None:
        content = f"{id}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.digest(secret, content, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
