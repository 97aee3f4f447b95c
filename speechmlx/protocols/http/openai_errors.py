"""Errors under /v1: OpenAI's envelope, with `detail` beside it for the clients that read only that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import SpeechError
from speechmlx.protocols.http.error_status import headers, status

CODES = {"unknown_model": "model_not_found", "bad_audio": "invalid_audio", "unknown_voice": "invalid_voice"}
PARAMS = {"unknown_model": "model", "bad_audio": "file", "unknown_voice": "voice"}


def envelope(error: SpeechError) -> dict[str, Any]:
    """{"message", "type", "param", "code"} of an error."""
    return {
        "message": str(error),
        "type": "server_error" if status(error) >= 500 else "invalid_request_error",
        "param": PARAMS.get(error.code),
        "code": CODES.get(error.code, error.code),
    }


def problem(error: SpeechError) -> Response:
    """{"error": {...}, "detail": "..."} with the status of the error's code."""
    return JSONResponse({"error": envelope(error), "detail": str(error)}, status(error), headers(error))


def unrouted(
    path: str, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error of no route: under /v1 the envelope, elsewhere {"error": message}."""
    if not path.startswith("/v1/"):
        return JSONResponse({"error": message}, status, headers)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": told, "detail": message}, status, headers)
