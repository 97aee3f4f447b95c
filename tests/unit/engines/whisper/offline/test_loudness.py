"""Loudness of a recording, in mel frames."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.whisper.offline.loudness import RecordingLoudness

SPEECH = np.zeros(200, np.bool_)
SPEECH[50:100] = True  # the second second


@pytest.mark.parametrize(
    ("first", "end", "seconds"), [(0, 400, 1.0), (0, 100, 0.0), (150, 250, 0.5), (200, 400, 0.0), (400, 900, 0.0)]
)
def test_seconds_of_speech(first: int, end: int, seconds: float) -> None:
    loudness = RecordingLoudness(np.zeros(200, np.float32), SPEECH)
    assert loudness.speech_between(first, end) == pytest.approx(seconds)


def test_without_loudness_nothing_is_speech() -> None:
    assert RecordingLoudness().speech_between(0, 1000) == 0.0


@pytest.mark.parametrize(("quietest", "end"), [(75, 50), (60, 20), (20, 10)])
def test_a_word_ends_at_the_quietest_moment_soon_after_it_began(quietest: int, end: int) -> None:
    level = np.linspace(-20, -19, 200).astype(np.float32)
    level[quietest] = -60
    assert RecordingLoudness(level, SPEECH).word_end(100, 0) == end


def test_a_word_after_the_end_of_the_recording_ends_at_the_latest() -> None:
    assert RecordingLoudness(np.zeros(10, np.float32), SPEECH).word_end(100, 5) == 70
