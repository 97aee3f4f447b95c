"""Options of a request: blanks, types, ranges and lists."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.errors import BadRequest
from speechmlx.protocols.http import options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("auto", None),
        ("en", "en"),
        ("EN-us", "en-us"),
        ("pt_BR", "pt-br"),
        ("English", "en"),
        ("nb-NO", "nb-no"),
        ("gibberish", "gibberish"),
    ],
)
def test_languages(given: str | None, expected: str | None) -> None:
    """The region counts where it is spoken. What is no language is left for the model to refuse."""
    asked = {} if given is None else {"language": given}
    heard = "no" if given == "nb-NO" else expected and expected.partition("-")[0]
    assert (options.language(asked), options.dialect(asked)) == (heard, expected)


@pytest.mark.parametrize("value", ["", " ", "\t", None])
def test_blanks_are_the_default(value: str | None) -> None:
    given = {"x": value}
    assert options.value(given, "x") is options.text(given, "x") is None
    assert options.flag(given, "x") is False and options.choice(given, "x", ("a", "b")) == "a"
    assert (options.number(given, "x", 1.5, 0, 2), options.integer(given, "x", 2, 0, 2)) == (1.5, 2)
    assert options.several(given, "x") == []


def test_words_are_trimmed() -> None:
    assert options.choice({"x": " B "}, "x", ("a", "b")) == "b" and options.flag({"x": " True"}, "x")


@pytest.mark.parametrize("value", [True, "true", "1", "Yes", "on", 1])
def test_true(value: object) -> None:
    assert options.flag({"x": value}, "x")


@pytest.mark.parametrize("value", [False, "false", "0", "", "off", 0])
def test_false(value: object) -> None:
    assert not options.flag({"x": value}, "x")
    assert not options.flag({}, "x")


@given(st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers(), st.lists(st.integers()), st.just({})))
def test_any_value_is_a_number_in_range_or_a_bad_request(value: Any) -> None:
    for read in (options.number, options.integer):
        try:
            assert 1 <= read({"x": value}, "x", 2, 1, 5) <= 5
        except BadRequest as error:
            assert "'x' must be a" in str(error)  # noqa: PT017 (not every value is one)


def test_numbers_as_text_and_as_numbers() -> None:
    assert options.number({"x": "1.5"}, "x", 1, 0, 2) == options.number({"x": 1.5}, "x", 1, 0, 2) == 1.5
    assert options.integer({"x": "4"}, "x", 1, 0, 9) == 4
    assert options.integer({}, "x", 7, 0, 9) == 7
