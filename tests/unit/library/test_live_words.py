"""Words of a live session: each once, in the order of speech, and the unsure ones after them."""

from __future__ import annotations

from speechmlx.conversation.events import (
    Advanced,
    Committed,
    Event,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import EngineFailed
from speechmlx.library.live_words import LiveWords, spread
from speechmlx.types import Hypothesis, Word


def word(text: str, start: float = 0.0) -> Word:
    return Word(f" {text}", start, start + 0.5, 0.9)


def delta(item: str, committed: str = "", tail: str = "", unattributed: str = "") -> TranscriptDelta:
    parts = [tuple(word(text) for text in texts.split()) for texts in (committed, tail, unattributed)]
    return TranscriptDelta(item, TranscriptUpdate(committed, parts[0], parts[1], unattributed=parts[2]))


def done(item: str) -> TranscriptDone:
    return TranscriptDone(item, Transcript("as it was"), 1.0)


def shown(words: LiveWords) -> tuple[str, str]:
    hypothesis = words.take()
    return tuple("".join(word.text for word in part).strip() for part in (hypothesis.committed, hypothesis.tail))  # type: ignore[return-value]


def after(*events: Event) -> LiveWords:
    words = LiveWords()
    for event in events:
        words.add(event)
    return words


def test_final_words_come_once_and_the_tail_is_replaced() -> None:
    words = after(SpeechStarted("a", 0.0), delta("a", "one", "too"))
    assert words.changed and shown(words) == ("one", "too")
    assert not words.changed
    words.add(delta("a", "two three"))
    assert shown(words) == ("two three", "")
    words.add(done("a"))
    assert not words.changed and shown(words) == ("", "")


def test_a_turn_waits_for_the_one_before_it() -> None:
    words = after(SpeechStarted("a", 0.0), delta("a", "one", "two"), Committed("a", None))
    words.add(SpeechStarted("b", 5.0))
    words.add(delta("b", "four", "fife"))
    assert shown(words) == ("one", "two four fife")
    words.add(delta("a", "two"))
    words.add(done("a"))
    assert shown(words) == ("two four", "fife")


def test_the_end_of_a_turn_alone_lets_the_next_ones_out() -> None:
    words = after(SpeechStarted("a", 0.0), Committed("a", None), SpeechStarted("b", 5.0), delta("b", "two"))
    words.add(delta("a", "one"))
    words.add(done("b"))
    assert shown(words) == ("one", "two")
    words.add(done("a"))
    assert words.changed and shown(words) == ("two", "")


def test_a_turn_that_was_dropped_holds_nothing_up() -> None:
    words = after(
        SpeechStarted("a", 0.0), delta("a", "one", "too"), SpeechStarted("b", 5.0), delta("b", "three", "for")
    )
    assert shown(words) == ("one three", "for")


def test_the_end_gives_out_what_waits() -> None:
    words = after(SpeechStarted("a", 0.0), Committed("a", None), SpeechStarted("b", 5.0), delta("b", "two", "tree"))
    assert shown(words) == ("", "two tree")
    words.finish()
    assert words.changed and shown(words) == ("two", "")


def test_the_unsure_words_of_a_turn_that_fails_go() -> None:
    words = after(SpeechStarted("a", 0.0), delta("a", "one", "two"))
    words.take()
    words.add(TranscriptFailed("a", EngineFailed("no")))
    assert words.changed and shown(words) == ("", "")


def test_words_without_a_speaker_are_not_final_yet() -> None:
    assert shown(after(SpeechStarted("a", 0.0), delta("a", "one", "three", unattributed="two"))) == ("one", "two three")


def test_a_text_without_times_is_spread_over_its_turn() -> None:
    update = TranscriptDelta("a", TranscriptUpdate("one two"))
    words = after(SpeechStarted("a", 1.0), SpeechStopped("a", 3.0), update)
    assert words.take() == Hypothesis((Word(" one", 1.0, 2.0, 0.0), Word(" two", 2.0, 3.0, 0.0)), ())
    assert spread("one", 1.0, None) == (Word(" one", 1.0, 1.0, 0.0),)


def test_progress_is_no_news() -> None:
    assert not after(SpeechStarted("a", 0.0), Advanced(1.0, 1.0, 1.0, True)).changed
