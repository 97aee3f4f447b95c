"""Errors in Deepgram's shape, on its paths alone."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from speechmlx.errors import BadAudio, BadRequest, Busy, EngineFailed, SpeechError, TooLarge, UnknownVoice
from speechmlx.protocols.http.deepgram_errors import PATHS, DeepgramError, content, problem
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import KEY


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequest("no"), 400, "Bad Request"),
        (BadAudio("no"), 400, "Bad Request"),
        (UnknownVoice("no"), 400, "INVALID_MODEL"),
        (TooLarge("no"), 413, "PAYLOAD_TOO_LARGE"),
        (Busy("no", retry_after=3), 503, "TOO_MANY_REQUESTS"),
        (EngineFailed("no"), 500, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_errors(error: SpeechError, status: int, code: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await problem(error)({**scope, KEY: "req_5"}, receive, send)

    answer = TestClient(app).get("/v1/listen")
    assert answer.status_code == status
    assert answer.json() == content(error, "req_5") == {"err_code": code, "err_msg": "no", "request_id": "req_5"}
    assert (answer.headers["dg-request-id"], answer.headers["dg-error"]) == ("req_5", "no")
    assert answer.headers.get("retry-after") == ("3" if isinstance(error, Busy) else None)


def test_a_header_holds_any_message() -> None:
    assert DeepgramError(400, None, "schön\nand\twell").headers["dg-error"] == "sch?n and well"


@pytest.mark.parametrize("path", PATHS)
def test_its_paths_have_no_other_errors(path: str) -> None:
    assert isinstance(error_response(path, 405, "no"), DeepgramError)
    assert not isinstance(error_response("/v1/models", 405, "no"), DeepgramError)
