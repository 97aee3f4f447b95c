"""Errors as Deepgram's API has them, over HTTP: {"err_code", "err_msg", "request_id"} and headers."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from speechmlx.errors import SpeechError
from speechmlx.protocols.http.error_status import headers, status

CODES = {
    "bad_audio": "Bad Request",
    "too_large": "PAYLOAD_TOO_LARGE",
    "unknown_model": "INVALID_MODEL",
    "unknown_voice": "INVALID_MODEL",
    "unavailable": "SERVICE_UNAVAILABLE",
    "busy": "TOO_MANY_REQUESTS",
}
"""err_code by the code of our error."""


def error_response(error: SpeechError, request_id: str) -> Response:
    """The answer to a request, or to a handshake, that is refused."""
    code = status(error)
    if error.code == "bad_audio":
        code = 400
    named = CODES.get(error.code, "Bad Request" if code < 500 else "INTERNAL_SERVER_ERROR")
    own = {"dg-request-id": request_id, "dg-error": _header(str(error))}
    body = {"err_code": named, "err_msg": str(error), "request_id": request_id}
    return JSONResponse(body, code, headers(error) | own)


def _header(text: str) -> str:
    """Text that a header can hold."""
    return " ".join(text.encode("ascii", "replace").decode().split())[:500]
