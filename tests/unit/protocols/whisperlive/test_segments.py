"""Where segments end, what their times are, and what they look like."""

from __future__ import annotations

import pytest

from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.protocols.whisperlive.segments import SegmentClock, SpokenText, TurnText, joined, seconds, segment
from speechmlx.types import Word


def spoken(text: str, start: float = 0.0, step: float = 0.4, speaker: str | None = None) -> tuple[Word, ...]:
    """Each word of `text` with its space, one every `step` seconds."""
    words = enumerate(text.split())
    return tuple(Word(f" {word}", start + n * step, start + (n + 1) * step, 0.9, speaker) for n, word in words)


def after(*updates: TranscriptUpdate) -> TurnText:
    turn = TurnText()
    for update in updates:
        turn.add(update)
    return turn


def committed(text: str, start: float = 0.0, tail: str = "", speaker: str | None = None) -> TranscriptUpdate:
    words = spoken(text, start, speaker=speaker)
    return TranscriptUpdate(text, words, spoken(tail, words[-1].end if words else start))


def taken(turn: TurnText, everything: bool = False) -> list[str]:
    return [joined(texts) for texts in turn.take(everything)]


@pytest.mark.parametrize(
    ("text", "tail", "complete", "opened"),
    [
        ("One two.", "", [], "One two."),
        ("One two.", "Three", ["One two."], "Three"),
        ("One two. Three four! Five", "", ["One two.", "Three four!"], "Five"),
        ("I saw Dr.", "Lee", [], "I saw Dr. Lee"),
        ("It costs 3.", "5", ["It costs 3."], "5"),
        ("One two", "three. Four", [], "One two three. Four"),
    ],
)
def test_a_sentence_is_complete_when_the_next_word_is_there(
    text: str, tail: str, complete: list[str], opened: str
) -> None:
    turn = after(committed(text, tail=tail))
    assert (taken(turn), joined(turn.open)) == (complete, opened)


def test_silence_length_and_another_speaker_end_segments() -> None:
    assert taken(after(committed("one two"), committed("three", start=1.9))) == ["one two"]
    assert taken(after(committed("one two", speaker="0"), committed("three", 0.8, speaker="1"))) == ["one two"]
    assert taken(after(committed("one two", speaker="0"), committed("three", 0.8))) == []
    long = after(committed(" ".join(["word"] * 50)))
    part = " ".join(["word"] * 15)
    assert taken(long) == [part] * 3 and joined(long.open) == " ".join(["word"] * 5)


def test_the_end_of_a_turn_completes_what_is_final_and_drops_the_tail() -> None:
    turn = after(committed("one two", tail="three"))
    turn.over = True
    assert taken(turn) == ["one two"] and not turn.open


def test_a_flush_completes_what_is_final() -> None:
    turn = after(committed("one two", tail="three"))
    assert taken(turn, everything=True) == ["one two"] and joined(turn.open) == "three"


def test_words_without_their_speaker_are_open() -> None:
    word, other = spoken("one two")
    turn = after(TranscriptUpdate("", (), (other,), unattributed=(word,)))
    assert joined(turn.open) == "one two" and taken(turn, everything=True) == []


def test_text_without_words_has_the_times_of_the_turn() -> None:
    turn = TurnText(start=1.0, end=3.0)
    turn.add(TranscriptUpdate("one two"))
    turn.add(TranscriptUpdate(" three"))
    assert turn.final == [SpokenText("one two", 1.0, 3.0), SpokenText(" three", 3.0, 3.0)]


def test_segments_follow_each_other_and_have_a_length() -> None:
    clock = SegmentClock()
    assert clock.complete([SpokenText("a", 0.1, 0.5)]) == (100, 500)
    assert clock.span([SpokenText("b", 0.3, 0.4)]) == (500, 501)
    assert clock.complete([SpokenText("b", 0.3, 0.4)]) == (500, 501)
    assert clock.complete([SpokenText("c", 1.0, 2.0004)]) == (1000, 2000)


def test_a_segment_as_clients_get_it() -> None:
    texts = [SpokenText("Hello", 0.0, 0.5, 0.98765, "1"), SpokenText(" Ann.", 0.5, 1.0, 0.5, "1")]
    assert segment(texts, (0, 1000), True, True) == {
        "start": "0.000",
        "end": "1.000",
        "text": " Hello Ann.",
        "completed": True,
        "speaker": "SPEAKER_01",
        "words": [
            {"word": "Hello", "start": "0.000", "end": "0.500", "probability": 0.9877},
            {"word": " Ann.", "start": "0.500", "end": "1.000", "probability": 0.5},
        ],
    }
    named = segment([SpokenText("Hello", 0.0, 0.5, speaker="Ann")], (0, 500), False, True)
    assert named == {"start": "0.000", "end": "0.500", "text": " Hello", "completed": False, "speaker": "Ann"}
    assert seconds(65_043) == "65.043"
