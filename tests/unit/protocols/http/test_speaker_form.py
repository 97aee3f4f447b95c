"""Settings of speakers as clients send them, and the names of speakers in answers."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.speaker_form import read_most_speakers, separate


@pytest.mark.parametrize(("value", "most"), [(None, None), ("", None), ("0", None), (2, 2), ("3", 3)])
def test_the_most_speakers(value: Any, most: int | None) -> None:
    assert read_most_speakers({"max_speakers": value}) == most


@pytest.mark.parametrize("value", ["many", -1, 51, 1.5])
def test_bad_numbers_of_speakers_are_named(value: Any) -> None:
    with pytest.raises(BadRequest, match="'max_speakers' must be"):
        read_most_speakers({"max_speakers": value})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []),
        (" ", []),
        ("data:audio/wav;base64,AAAA", ["data:audio/wav;base64,AAAA"]),
        (["data:a,b", "data:c,d"], ["data:a,b", "data:c,d"]),
        ('["data:a,b", "c"]', ["data:a,b", "c"]),
        ([1], [1]),
    ],
    ids=str,
)
def test_lists_of_texts_with_commas(value: Any, found: list[Any]) -> None:
    assert separate({"r": value}, "r") == found


def test_a_list_that_is_no_json_is_named() -> None:
    with pytest.raises(BadRequest, match="'r' is not valid JSON"):
        separate({"r": "[data"}, "r")
