"""What a listener has heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.items.playout import PlayoutTimeline


def spoken(*clauses: tuple[str, float]) -> PlayoutTimeline:
    playout = PlayoutTimeline()
    for text, seconds in clauses:
        playout = playout.clause(text).sent(seconds).closed()
    return playout


TWO = spoken(("Hello my friend. ", 1.6), ("How are you?", 1.2))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, ""),
        (0.4, ""),
        (0.6, "Hello"),
        (0.9, "Hello my"),
        (1.6, "Hello my friend."),
        (1.7, "Hello my friend."),
        (2.4, "Hello my friend. How are"),
        (2.8, "Hello my friend. How are you?"),
        (99.0, "Hello my friend. How are you?"),
    ],
)
def test_the_words_that_were_over(seconds: float, text: str) -> None:
    assert TWO.heard(seconds) == text


def test_a_clause_that_is_not_whole_yet() -> None:
    playout = PlayoutTimeline().clause("One two three four five six seven eight nine ten.").sent(0.5)
    assert playout.heard(0.5) == "One two"


def test_what_was_not_sent_was_not_heard() -> None:
    cut = TWO.until(0.9)
    assert (cut.duration, cut.heard(99.0)) == (0.9, "Hello my")
    assert TWO.until(0.0).heard(99.0) == ""


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(0, 5)), max_size=6), st.floats(0, 40), st.floats(0, 40))
def test_who_hears_longer_hears_more(clauses: list[tuple[str, float]], first: float, second: float) -> None:
    playout = spoken(*clauses)
    short, long = sorted((first, second))
    whole = "".join(text for text, _ in clauses)
    assert whole.startswith(playout.heard(short))
    assert playout.heard(long).startswith(playout.heard(short))
    assert playout.until(long).heard(short) == playout.heard(short)
