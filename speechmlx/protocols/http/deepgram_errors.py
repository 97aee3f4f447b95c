"""Deepgram's errors: {"err_code", "err_msg", "request_id"}, and the headers dg-error and dg-request-id."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from speechmlx.errors import SpeechError
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.request_id import request_id

PATHS = ("/v1/listen", "/v1/speak", "/v2/listen")
"""Paths whose errors have this shape."""
STATUS = {"bad_audio": 400, "unknown_model": 400}
"""HTTP status by error code where it differs from that of other wires."""
CODES = {
    "too_large": "PAYLOAD_TOO_LARGE",
    "unknown_model": "INVALID_MODEL",
    "unknown_voice": "INVALID_MODEL",
    "unknown_session": "SESSION_NOT_FOUND",
    "unavailable": "SERVICE_UNAVAILABLE",
    "draining": "SERVICE_UNAVAILABLE",
    "busy": "TOO_MANY_REQUESTS",
    "rate_limited": "TOO_MANY_REQUESTS",
    "rate_limit_exceeded": "TOO_MANY_REQUESTS",
    "invalid_api_key": "INVALID_AUTH",
    "insufficient_scope": "FORBIDDEN",
    "licence_not_accepted": "FORBIDDEN",
}
"""`err_code` by our error code, where it is not that of every error with the status."""
BAD, FAILED = "Bad Request", "INTERNAL_SERVER_ERROR"


class DeepgramError(JSONResponse):
    """An error that gets the id of its request when it is sent. It refuses handshakes too. `code`: an error code."""

    def __init__(self, status: int, code: str | None, message: str, headers: Mapping[str, str] | None = None) -> None:
        self._content = _content(status, code, message)
        super().__init__(self._content, status, headers)
        self.headers["dg-error"] = " ".join(message.encode("ascii", "replace").decode().split())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body = self.render({**self._content, "request_id": request_id(scope)})
        self.headers["content-length"] = str(len(self.body))
        self.headers["dg-request-id"] = request_id(scope)
        await super().__call__(scope, receive, send)


def content(error: SpeechError, id: str) -> dict[str, str]:
    """The body for an error of the request `id`."""
    return {**_content(STATUS.get(error.code, status(error)), error.code, str(error)), "request_id": id}


def _content(status: int, code: str | None, message: str) -> dict[str, str]:
    return {"err_code": CODES.get(code or "", BAD if status < 500 else FAILED), "err_msg": message}


def problem(error: SpeechError) -> Response:
    """The response for an error."""
    return DeepgramError(STATUS.get(error.code, status(error)), error.code, str(error), headers(error))
