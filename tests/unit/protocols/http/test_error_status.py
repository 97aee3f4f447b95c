"""The status and the headers of every error code."""

from __future__ import annotations

import pytest

from speechmlx.errors import BY_CODE, SpeechError
from speechmlx.protocols.http.error_status import STATUS, headers, status


def test_every_error_code_has_a_status() -> None:
    assert STATUS.keys() == BY_CODE.keys()


@pytest.mark.parametrize("error", [kind("x", retry_after=2.1) for kind in BY_CODE.values()])
def test_a_503_and_a_429_say_when_to_come_again_and_nothing_else_does(error: SpeechError) -> None:
    assert headers(error) == ({"Retry-After": "3"} if status(error) in (429, 503) else {})


def test_a_503_without_a_time_says_one_second() -> None:
    assert headers(BY_CODE["busy"]("x")) == {"Retry-After": "1"}
