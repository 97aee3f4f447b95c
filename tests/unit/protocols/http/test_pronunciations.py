"""The field `pronunciations`: JSON, or its text."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.pronunciations import read_pronunciations
from speechmlx.types import Pronunciation

WIN = (Pronunciation("Nguyen", "win"),)


@pytest.mark.parametrize(
    ("value", "found"),
    [({"Nguyen": "win"}, WIN), ('{"Nguyen": "win"}', WIN), (" ", ()), (None, ()), ("{}", ())],
)
def test_what_is_read(value: Any, found: tuple[Pronunciation, ...]) -> None:
    assert read_pronunciations({"pronunciations": value}) == found
    assert read_pronunciations({}) == ()


@pytest.mark.parametrize(("value", "words"), [("{", "'pronunciations' is not valid JSON"), (3, "must be an object")])
def test_what_is_wrong_is_named(value: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_pronunciations({"pronunciations": value})
