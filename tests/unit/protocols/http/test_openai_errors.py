"""OpenAI's error envelope."""

from __future__ import annotations

import json

import pytest

from speechmlx.errors import BY_CODE, Busy, SpeechError, UnknownModel
from speechmlx.protocols.http.openai_errors import INVALID, SERVER_ERROR, TOO_MANY, envelope, error_response, problem


@pytest.mark.parametrize("error", [kind("x") for kind in BY_CODE.values()], ids=BY_CODE)
def test_the_type_is_that_of_the_status(error: SpeechError) -> None:
    response = problem(error)
    body = json.loads(bytes(response.body))
    assert body == {"error": envelope(error), "detail": "x"}
    assert body["error"]["type"] == (
        TOO_MANY if response.status_code == 429 else SERVER_ERROR if response.status_code >= 500 else INVALID
    )


def test_codes_and_params_are_openais_where_it_has_them() -> None:
    assert envelope(UnknownModel("x")) == {"message": "x", "type": INVALID, "param": "model", "code": "model_not_found"}
    assert envelope(Busy("x"))["code"] == "busy" and envelope(Busy("x"))["param"] is None


@pytest.mark.parametrize(
    ("status", "type", "expected"), [(404, None, INVALID), (503, None, SERVER_ERROR), (501, INVALID, INVALID)]
)
def test_errors_outside_of_a_job_have_the_envelope_under_v1(status: int, type: str | None, expected: str) -> None:
    response = error_response("/v1/x", status, "x", "c", {"x-a": "b"}, type)
    error = {"message": "x", "type": expected, "param": None, "code": "c"}
    assert (response.status_code, json.loads(bytes(response.body))) == (status, {"error": error, "detail": "x"})
    assert response.headers["x-a"] == "b"
    assert json.loads(bytes(error_response("/speak", status, "x", "c").body)) == {"error": "x"}
