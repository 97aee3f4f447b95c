"""What holds for any text: words are letters, spans are in order and inside, time is linear, nothing raises."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.english import words

MARKS = set(",;:.!?…—()“”")
SIGNS = st.text(
    alphabet=",.;:!?'\"()[]/-–—+*=<>^~#@&%$€£¥₹°′″½¾²³₂√×÷±≠≤≥≈→αΩⅣ\\|_{}’“”… \n\t0123456789aAbBmMpPxXeEiIvVsSkK"
)
TEXTS = st.one_of(
    st.text(max_size=60), SIGNS, st.from_regex(r"[$€£]?\d[\d,./:-]{0,12}\s?(?:kg|am|%|m|th|s|x|M)?", fullmatch=True)
)


def check(text: str, tokens: list[Token]) -> None:
    last = 0
    for token in tokens:
        assert 0 <= token.start <= token.end <= len(text)
        assert token.start >= last
        last = token.start
        if isinstance(token, SpokenWord):
            assert token.text and all(c.isalpha() or c in "'-" or unicodedata.combining(c) for c in token.text), token
        else:
            assert token.mark in MARKS


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.booleans())
def test_any_text_gives_words_in_order(text: str, british: bool) -> None:
    check(text, words(text, british))


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXTS, max_size=6), st.booleans())
def test_any_texts_side_by_side(texts: list[str], british: bool) -> None:
    text = " ".join(texts)
    check(text, words(text, british))


HOSTILE = [",", "—", "111,", "1.", "a-", "a.a", "a+.@a", " ", "\n", "1", "a", "1/", "1-", "1:", "1 ", "$1-", "A.", "1x"]
HOSTILE += ["x^", "1e", "/a", "#a", "@a", "½", "5 ft ", "²", "a_", "1,", "(", '"', "'", "A&", "α", "0 ", "St. ", "I"]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_time_is_linear(pattern: str) -> None:
    """Of any repeated pattern: four times the text takes about four times the time, here less than ten times.

    The best of three tries counts: a collection of garbage may fall into one.
    """

    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        begin = time.process_time()
        check(text, words(text))
        return time.process_time() - begin

    seconds(500)
    assert any(seconds(8000) < 10 * seconds(2000) + 0.3 for _ in range(3))


def test_spans_are_those_of_the_tokens() -> None:
    text = "Pay $5 by Jan. 5, please."
    spans = [(t.text, text[t.start : t.end]) for t in words(text) if isinstance(t, SpokenWord)]
    assert spans == [
        ("Pay", "Pay"),
        ("five", "$5"),
        ("dollars", "$5"),
        ("by", "by"),
        ("January", "Jan. 5"),
        ("fifth", "Jan. 5"),
        ("please", "please"),
    ]


def test_pauses_keep_their_marks() -> None:
    marks = [t.mark for t in words('Well... "Stop!" he said (twice) - now; go: where, then?') if isinstance(t, Pause)]
    assert marks == ["…", "“", "!", "”", "(", ")", "—", ";", ":", ",", "?"]


def test_a_long_number_is_read_digit_by_digit() -> None:
    tokens = words("9" * 5000)
    assert len(tokens) == 5000 and {t.text for t in tokens if isinstance(t, SpokenWord)} == {"nine"}


def test_what_has_no_sound_gives_nothing() -> None:
    assert words("👍 🎉") == []
    assert words("") == []
    assert re.fullmatch("[^a-z]*", "".join(t.mark for t in words("— ...") if isinstance(t, Pause)))
