"""HTTP status and headers of errors: one table for every protocol on HTTP. The bodies are the protocols' own."""

from __future__ import annotations

import math

from speechmlx.errors import SpeechError

STATUS = {
    "error": 500,
    "bad_request": 400,
    "bad_audio": 415,
    "too_large": 413,
    "too_slow": 408,
    "unknown_job": 404,
    "job_unfinished": 409,
    "unknown_model": 404,
    "unknown_voice": 400,
    "unknown_recording": 404,
    "unknown_session": 404,
    "unsupported": 400,
    "licence_not_accepted": 403,
    "unavailable": 503,
    "busy": 503,
    "rate_limited": 429,
    "draining": 503,
    "no_room": 507,
    "no_memory": 503,
    "model_unavailable": 502,
    "weights_damaged": 503,
    "engine_failed": 500,
    "engine_lost": 503,
}
"""HTTP status by error code. `engine_lost` is 503, because the engine process starts again at once."""

RETRY_AFTER = 1.0
"""Seconds of Retry-After for an error without its own."""


def status(error: SpeechError) -> int:
    """The HTTP status of an error."""
    return STATUS[error.code]


def headers(error: SpeechError) -> dict[str, str]:
    """The headers of an error: Retry-After in whole seconds for a 503 and a 429."""
    if status(error) not in (429, 503):
        return {}
    return {"Retry-After": str(max(1, math.ceil(error.retry_after or RETRY_AFTER)))}
