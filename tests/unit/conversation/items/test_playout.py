"""What a listener has heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.items.playout import PlayoutTimeline


def spoken(*clauses: tuple[str, float]) -> PlayoutTimeline:
    playout = PlayoutTimeline()
    for text, seconds in clauses:
        playout = playout.begin_clause(text).add_audio(seconds).end_clause()
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
    assert TWO.text_at(seconds) == text


def test_a_clause_that_is_not_whole_yet() -> None:
    playout = PlayoutTimeline().begin_clause("One two three four five six seven eight nine ten.").add_audio(0.5)
    assert playout.text_at(0.5) == "One two"


def test_what_was_not_sent_was_not_heard() -> None:
    cut = TWO.cut_at(0.9)
    assert (cut.duration, cut.text_at(99.0)) == (0.9, "Hello my")
    assert TWO.cut_at(0.0).text_at(99.0) == ""


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(0, 5)), max_size=6), st.floats(0, 40), st.floats(0, 40))
def test_who_hears_longer_hears_more(clauses: list[tuple[str, float]], first: float, second: float) -> None:
    playout = spoken(*clauses)
    short, long = sorted((first, second))
    whole = "".join(text for text, _ in clauses)
    assert whole.startswith(playout.text_at(short))
    assert playout.text_at(long).startswith(playout.text_at(short))
    assert playout.cut_at(long).text_at(short) == playout.text_at(short)
