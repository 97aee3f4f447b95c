"""What a test can ask about a moment of a live stream."""

from __future__ import annotations

import pytest

from speechmlx.testing import LiveState
from speechmlx.types import Word

STATE = LiveState(
    (Word(" One", 1.0, 1.5, 0.9, "0"), Word(" two.", 1.5, 2.0, 0.9, "0"), Word(" Three", 8.0, 8.5, 0.9, "1")),
    (Word(" fore", 8.5, 9.0, 0.5),),
    20.0,
)


def test_texts() -> None:
    assert STATE.text == "One two. Three fore" and STATE.committed_text == "One two. Three"
    assert STATE.tail_text == "fore" and STATE.text_between(1.2, 8.1) == "two. Three"
    assert STATE.wer("one two three four") == pytest.approx(0.25)
    assert LiveState().text == ""


def test_speakers() -> None:
    assert STATE.speakers == ("0", "1")
    assert [STATE.speaker_at(seconds) for seconds in (1.2, 3.0, 8.4)] == ["0", None, "1"]


def test_silences() -> None:
    assert STATE.silences() == ((2.0, 8.0), (9.0, 20.0))
    assert STATE.silences(0.9) == ((0.0, 1.0), (2.0, 8.0), (9.0, 20.0))
    assert LiveState(fed=6.0).silences() == ((0.0, 6.0),)


def test_times_that_cannot_be() -> None:
    assert STATE.timing_errors == ()
    wrong = LiveState((Word(" a", 1.0, 0.5, 1.0), Word(" b", 0.2, 4.0, 1.0)), (), 3.0)
    assert wrong.timing_errors == (
        "'a' (1.00 to 0.50 s) ends before it begins",
        "'b' (0.20 to 4.00 s) begins before 'a' (1.00 to 0.50 s) ends",
        "'b' (0.20 to 4.00 s) ends after the audio, 3.00 s",
    )
