"""Words as they are written: each character of a text is of one word, and each spoken word of the one that it says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading import SpokenWord
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.reading import passages
from speechmlx.reading.written import WrittenWord, written_words


def words(text: str, language: str = "en-us") -> list[WrittenWord]:
    return [word for passage in passages(text, language) for word in passage.words()]


PLAIN = {
    "It costs $5-$10.": "It|costs|$5-$10.",
    "Is $5 million enough? No!": "Is|$5 million|enough?|No!",
    "On Jan. 5, 2024 at 9:30 p.m., Dr. Lee's well-known either/or R&D.": (
        "On|Jan. 5, 2024|at|9:30 p.m.,|Dr.|Lee's|well-known|either/or|R&D."
    ),
    "So good! \U0001f389\U0001f389 Really \U0001f600 good": "So|good! \U0001f389\U0001f389|Really \U0001f600|good",
    "Mail a.b@example.com or see https://example.org/a-b?c=1, e.g. now.": (
        "Mail|a.b@example.com|or|see|https://example.org/a-b?c=1,|e.g.|now."
    ),
    'He said "no", then “yes (maybe)” — and left…': 'He|said|"no",|then|“yes|(maybe)” —|and|left…',
    "« Non », dit-il": "« Non »,|dit-il",
    "The price—roughly—is 3.5%; call 555-123-4567": "The|price—|roughly—|is|3.5%;|call|555-123-4567",
    "don't you’re 1st 3/4 20°C #1 H₂O": "don't|you’re|1st|3/4|20°C|#1|H₂O",
    "(first) \U0001f44d": "(first) \U0001f44d",
}


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text(text: str) -> None:
    found = words(text)
    assert [word.text for word in found] == PLAIN[text].split("|")
    assert [text[word.start : word.end] for word in found] == [word.text for word in found]
    assert " ".join(word.text for word in found) == " ".join(PLAIN[text].replace("|", " ").split())


@pytest.mark.parametrize(
    ("text", "expected", "last"),
    [
        ("See [the docs](https://example.org/a?b=1) **now**!", "See|the|docs|now!", "now**!"),
        ("# Title\n\n- one\n- two &amp; <b>three</b>", "Title|one|two|&|three", "three"),
        ("1. Milk\n2. Tea", "1.|Milk|2.|Tea", "Tea"),
        ("A $x^2 + \\pi$ here", "A|$x^2 + \\pi$|here", "here"),
        ("[Siobhan](/ʃəvˈɔn/) left", "Siobhan|left", "left"),
        ('<speak>Say <sub alias="World Wide Web">WWW</sub> <break time="1s"/> now.</speak>', "Say|WWW|now.", "now."),
        ('<speak><phoneme ph="hɛlO">hello</phoneme>, you</speak>', "hello,|you", "you"),
        ('<speak><say-as interpret-as="characters">abc</say-as> is</speak>', "abc|is", "is"),
        ('<speak><prosody rate="200%">Ten &lt; 12</prosody></speak>', "Ten|<|12", "12"),
    ],
)
def test_marks_are_no_part_of_a_word(text: str, expected: str, last: str) -> None:
    found = words(text)
    assert [word.text for word in found] == expected.split("|")
    assert text[found[-1].start : found[-1].end] == last


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("我今天花了12块钱。你好，「世界」！", "zh", "我今天花了|12|块钱。|你好，|「世界」！"),
        ("今日は3月5日です。ありがとう！", "ja", "今日は|3月|5日|です。|ありがとう！"),
        ("L'homme a 12 € — dit-il.", "fr", "L'homme|a|12 € —|dit-il."),
    ],
)
def test_other_languages(text: str, language: str, expected: str) -> None:
    assert [word.text for word in words(text, language)] == expected.split("|")


PIECES = st.lists(
    st.sampled_from(
        [
            "word",
            "$5",
            " ",
            " ",
            "\n",
            ", ",
            "“",
            "”",
            "(",
            ")",
            "**",
            "&amp;",
            "\U0001f389",
            "12:30",
            "世界",
            "-",
            "_",
            "[a](b)",
        ]
    ),
    max_size=40,
)


@given(PIECES)
def test_every_sign_is_of_one_word(parts: list[str]) -> None:
    text = "".join(parts)
    for passage in passages(text):
        found = passage.words()
        assert all(0 <= one.start < one.end <= other.start for one, other in pairwise(found))
        if found:
            together = "".join("".join(word.text.split()) for word in found)
            assert len(together) >= len("".join(passage.text.text.split()))
            for token in passage.tokens:
                if isinstance(token, SpokenWord):
                    inside = [word for word in found if word.start <= token.start and token.end <= word.end]
                    assert len(inside) == 1


def test_words_are_moved_with_their_text() -> None:
    word = WrittenWord("a", 3, 4)
    assert word.moved(0) is word and word.moved(5) == WrittenWord("a", 8, 9)


def test_a_word_without_a_text() -> None:
    said = [SpokenWord("hello", 0, 9, phonemes="hɛlO")]
    assert written_words(said, MappedText.said(" ", 0, 9), "<p ph=x/>") == [WrittenWord("<p ph=x/>", 0, 9)]
    assert written_words([], MappedText.of("…"), "…") == []
