"""OpenAI's error envelope, for routes under /v1. `detail` beside it is for clients that read only that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import SpeechError
from speechmlx.log import note_error
from speechmlx.protocols.http import deepgram_errors
from speechmlx.protocols.http.error_status import headers, status

CODES = {
    "unknown_model": "model_not_found",
    "bad_audio": "invalid_audio",
    "unknown_voice": "invalid_voice",
    "rate_limited": "rate_limit_exceeded",
}
PARAMS = {"unknown_model": "model", "licence_not_accepted": "model", "bad_audio": "file", "unknown_voice": "voice"}
INVALID, SERVER_ERROR, TOO_MANY = "invalid_request_error", "server_error", "requests"
"""Values of `type`."""


def envelope(error: SpeechError) -> dict[str, Any]:
    """{"message", "type", "param", "code"} of an error."""
    return {
        "message": str(error),
        "type": _type(status(error)),
        "param": PARAMS.get(error.code),
        "code": CODES.get(error.code, error.code),
    }


def problem(error: SpeechError) -> Response:
    """{"error": {...}, "detail": "..."} with the status of the error's code."""
    return JSONResponse({"error": envelope(error), "detail": str(error)}, status(error), headers(error))


def error_response(
    path: str,
    status: int,
    message: str,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    type: str | None = None,
) -> Response:
    """The response for an error that has no SpeechError: under /v1 the envelope, elsewhere {"error": message}.

    Deepgram's paths have its errors. `type` is of the envelope; None takes the one of `status`.
    """
    if code is not None:
        note_error(code)
    if path in deepgram_errors.PATHS:
        return deepgram_errors.DeepgramError(status, code, message, headers)
    if not path.startswith("/v1/"):
        return JSONResponse({"error": message}, status, headers)
    error = {"message": message, "type": type or _type(status), "param": None, "code": code}
    return JSONResponse({"error": error, "detail": message}, status, headers)


def _type(status: int) -> str:
    return SERVER_ERROR if status >= 500 else TOO_MANY if status == 429 else INVALID
