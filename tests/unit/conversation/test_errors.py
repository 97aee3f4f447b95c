"""Refusals carry their data, and a neutral sentence."""

from __future__ import annotations

import pytest

from speechmlx.conversation import errors
from speechmlx.errors import SpeechError

REFUSALS = [
    (errors.ItemExists("a"), "item_exists", "'a'"),
    (errors.NoSuchItem("a", "delete"), "no_such_item", "'a'"),
    (errors.NoSuchPart("a", 3, 1), "no_such_part", "no part 3; its last is 1"),
    (errors.NotSpoken(), "not_spoken", "spoken answers"),
    (errors.TooShort(0.05, 0.1), "too_short", "0.050 s"),
    (errors.ResponseActive("r"), "active_response", "'r'"),
    (errors.NoActiveResponse(), "no_active_response", "no response"),
    (errors.TooManyResponses(4), "busy", "4 responses"),
    (errors.TranscribesOnly(), "transcribes_only", "transcription session"),
]


@pytest.mark.parametrize(("error", "code", "sentence"), REFUSALS)
def test_code_and_sentence(error: SpeechError, code: str, sentence: str) -> None:
    assert error.code == code
    assert sentence in error.message
