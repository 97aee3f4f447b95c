"""Neutral error codes → HTTP status: one table for every protocol that speaks HTTP; each has its own body."""

from __future__ import annotations

import math

from speechmlx.errors import SpeechError

STATUS = {
    "error": 500,
    "bad_request": 400,
    "bad_audio": 415,
    "too_large": 413,
    "unknown_model": 404,
    "unknown_voice": 400,
    "unsupported": 400,
    "unavailable": 503,
    "busy": 503,
    "draining": 503,
    "no_room": 507,
    "model_unavailable": 502,
    "engine_failed": 500,
    "engine_lost": 503,
}
"""`engine_lost` is 503: the engine process is started again at once, so the same request is worth another try."""

RETRY_AFTER = 1.0
"""Seconds, for a 503 that does not say."""


def status(error: SpeechError) -> int:
    return STATUS[error.code]


def headers(error: SpeechError) -> dict[str, str]:
    """Retry-After in whole seconds, for every 503."""
    if status(error) != 503:
        return {}
    return {"Retry-After": str(max(1, math.ceil(error.retry_after or RETRY_AFTER)))}
