"""Settings of a live conversation: their defaults, and whether a detected turn is answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import MAX_WAIT, Settings, TurnTaking


@pytest.mark.parametrize(
    ("turns", "transcribes_only", "answers"),
    [
        (TurnTaking(), False, True),
        (TurnTaking(), True, False),
        (TurnTaking(answers=False), False, False),
        (TurnTaking(answers=False), True, False),
        (None, False, False),
        (None, True, False),
    ],
)
def test_whether_a_detected_turn_is_answered(turns: TurnTaking | None, transcribes_only: bool, answers: bool) -> None:
    assert Settings(turns=turns, transcribes_only=transcribes_only).answers is answers


def test_by_default_audio_turns_are_answered_with_speech() -> None:
    settings = Settings()
    assert settings.answers and settings.answering.spoken
    assert settings.input == settings.answering.voice.format == AudioFormat()
    assert settings.turns == TurnTaking(threshold=0.5, prefix=0.3, silence=0.5)
    assert settings.transcription is None and not settings.clean


def test_a_change_leaves_the_settings_before_it_as_they_are() -> None:
    before = Settings()
    after = replace(before, turns=None)
    assert before.answers and not after.answers
    assert after.answering is before.answering


def test_an_eager_turn_detector_waits_less() -> None:
    assert MAX_WAIT["low"] > MAX_WAIT["medium"] > MAX_WAIT["high"] > TurnTaking().silence
