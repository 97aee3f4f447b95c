"""Word error rates: left out, added, replaced; as jiwer counts them."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.errors import BadRequest
from speechmlx.testing import word_error_rate

WORDS = st.lists(st.sampled_from("a b c d".split()), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("reference", "text", "rate"),
    [
        ("One two three.", "one, TWO three", 0.0),
        ("one two three four", "one three four", 0.25),
        ("one two", "one and two", 0.5),
        ("one two", "one too", 0.5),
        ("one", "", 1.0),
        ("one", "a b c", 3.0),
        ("it’s 'quoted'", "it's quoted", 0.0),
    ],
)
def test_rates(reference: str, text: str, rate: float) -> None:
    assert word_error_rate(reference, text) == pytest.approx(rate)


@given(WORDS, WORDS)
def test_it_counts_as_jiwer_does(reference: list[str], text: list[str]) -> None:
    wanted, found = " ".join(reference), " ".join(text)
    assert word_error_rate(wanted, found) == pytest.approx(jiwer.wer(wanted, found))


def test_a_reference_has_words() -> None:
    with pytest.raises(BadRequest, match="no words"):
        word_error_rate(" ... ", "one")
