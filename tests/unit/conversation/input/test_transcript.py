"""Joining and shifting transcripts."""

from __future__ import annotations

from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate, joined, no_update, shifted
from speechmlx.types import Word


def test_parts_are_joined_and_the_first_known_language_counts() -> None:
    first, second = Word(" a", 0.0, 1.0, 0.5), Word(" b", 1.0, 2.0, 0.5)
    parts = [Transcript("a", (first,)), Transcript(""), Transcript("b", (second,), "de", 0.7, ((b"b", -0.1),))]
    assert joined(parts) == Transcript("a b", (first, second), "de", 0.7, ((b"b", -0.1),))


def test_words_are_shifted() -> None:
    assert shifted((Word(" a", 0.5, 1.0, 0.5),), 2.0) == (Word(" a", 2.5, 3.0, 0.5),)
    no_update(TranscriptUpdate(""))
