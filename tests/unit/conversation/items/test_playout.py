"""What a listener has heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.types import WordTime


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


def timed(text: str, *words: tuple[str, float]) -> PlayoutTimeline:
    """A clause of 10 s whose words end at these times; its audio is not complete."""
    found, at = list[WordTime](), 0
    for word, end in words:
        first = text.index(word, at)
        at = first + len(word)
        found.append(WordTime(word, max(0.0, end - 0.1), end, first, at))
    return PlayoutTimeline().begin_clause(text).add_words(found[:1]).add_audio(10.0).add_words(found[1:])


LONG_FIRST = "Incomprehensibilities (are) $5-$10, I say."
ENDS = (("Incomprehensibilities", 0.2), ("(are)", 4.0), ("$5-$10,", 6.0), ("I", 6.1), ("say.", 9.0))


@pytest.mark.parametrize("whole", [False, True])
def test_exactly_the_words_that_were_played(whole: bool) -> None:
    playout = timed(LONG_FIRST, *ENDS)
    playout = playout.end_clause() if whole else playout
    before = ""
    for number, (_, end) in enumerate(ENDS, 1):
        after = " ".join(LONG_FIRST.split()[:number])
        assert (playout.text_at(end - 0.001), playout.text_at(end)) == (before, after)
        assert playout.cut_at(end).text_at(99.0) == after
        before = after
    assert playout.text_at(10.0) == LONG_FIRST


def test_words_count_from_the_start_of_their_clause() -> None:
    second = TWO.begin_clause("Fine, thanks.").add_words([WordTime("Fine,", 0.0, 0.5, 0, 5)]).add_audio(1.0)
    assert second.text_at(3.2) == "Hello my friend. How are you?"
    assert second.text_at(3.3) == "Hello my friend. How are you?Fine,"
    assert second.end_clause().text_at(3.8) == "Hello my friend. How are you?Fine, thanks."


def test_no_mark_is_left_open() -> None:
    text = "See **[the docs](https://example.org)**, and more"
    playout = timed(text, ("See", 1.0), ("the", 2.0), ("docs", 3.0), ("and", 4.0))
    assert [playout.text_at(seconds) for seconds in (1.0, 3.0)] == ["See", "See **[the docs](https://example.org)**"]


def test_a_word_never_ends_before_the_one_before_it() -> None:
    playout = timed("a b c", ("a", 2.0), ("b", 1.0), ("c", 3.0))
    assert [playout.text_at(seconds) for seconds in (1.5, 2.0, 3.0)] == ["", "a b", "a b c"]


def test_a_clause_that_is_spoken_while_it_is_written() -> None:
    playout = PlayoutTimeline().begin_clause("One two").add_audio(0.4).grow_clause(" three four.").add_audio(0.6)
    assert playout.text_at(0.4) == "One"
    assert playout.end_clause().text_at(0.4) == "One two"
    assert playout.end_clause().text_at(1.0) == "One two three four."
