"""Subtitles of synthesised words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.spoken_captions import CUE_SECONDS, LONGEST_CUE, cues, spoken_captions
from speechmlx.types import WordTime


def timed(text: str, seconds: float = 0.5) -> list[WordTime]:
    """Each word of a text, and how long it is said."""
    found, at = list[WordTime](), 0
    for number, word in enumerate(text.split()):
        first = text.index(word, at)
        at = first + len(word)
        found.append(WordTime(word, number * seconds, (number + 0.9) * seconds, first, at))
    return found


def test_a_cue_for_each_sentence() -> None:
    words = timed("Dr. Lee left. Why & -->? Ok")
    assert spoken_captions(words, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,450\nDr. Lee left.\n\n"
        "2\n00:00:01,500 --> 00:00:02,950\nWhy & ->?\n\n"
        "3\n00:00:03,000 --> 00:00:03,450\nOk\n"
    )
    assert spoken_captions(words[3:6], "vtt") == "WEBVTT\n\n00:00:01.500 --> 00:00:02.950\nWhy &amp; ->?\n"


def test_nothing_said() -> None:
    assert (spoken_captions([], "srt"), spoken_captions([], "vtt")) == ("", "WEBVTT\n")


def test_words_without_blanks_between_them() -> None:
    words = [WordTime("今日は", 0, 1, 0, 3), WordTime("3月", 1, 2, 3, 5), WordTime("a", 2, 3, 6, 7)]
    assert [cue.text for cue in cues(words)] == ["今日は3月 a"]


@pytest.mark.parametrize("seconds", [0.1, 1.0, 20.0])
@given(words=st.lists(st.sampled_from(["a", "word", "x" * 30, "y" * 100, "end."]), max_size=60))
def test_cues_are_short_and_have_every_word_once(words: list[str], seconds: float) -> None:
    text = " ".join(words)
    found = cues(timed(text, seconds))
    assert " ".join(cue.text for cue in found) == text
    for cue in found:
        assert len(cue.text) <= LONGEST_CUE or " " not in cue.text
        assert cue.end - cue.start <= CUE_SECONDS or " " not in cue.text
    assert [cue.start for cue in found] == sorted({cue.start for cue in found})
