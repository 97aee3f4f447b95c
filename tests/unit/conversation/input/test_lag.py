"""How far a model is behind: audio that came, answers, and the time."""

from __future__ import annotations

import pytest

from speechmlx.conversation.input.lag import FRAME, Lag


def test_a_model_that_keeps_up_is_not_behind() -> None:
    lag = Lag()
    for frame in range(100):
        lag.came(FRAME, frame * FRAME)
        assert lag.at(frame * FRAME + 0.05) == 0.0
        lag.answered(FRAME)
    assert lag.at(1000.0) == 0.0


def test_a_model_that_is_not_there_is_behind_from_the_first_frame_on() -> None:
    lag = Lag()
    for frame in range(50):
        lag.came(FRAME, 10 + frame * FRAME)
    assert lag.at(14.0) == pytest.approx(4 - FRAME)
    for _ in range(10):  # it came, and is four seconds behind
        lag.answered(FRAME)
    assert lag.at(14.0) == pytest.approx(4 - 11 * FRAME)


def test_a_recording_that_comes_at_once_is_answered_at_its_own_pace() -> None:
    lag = Lag()
    lag.came(10.0, 5.0)
    for frame in range(60):
        assert lag.at(5 + frame * FRAME) == 0.0
        lag.answered(FRAME)
    assert lag.at(5 + 60 * FRAME + 3) == pytest.approx(3 - FRAME)


def test_silence_of_the_client_is_no_lag() -> None:
    lag = Lag()
    lag.came(FRAME, 0.0)
    lag.answered(FRAME)
    lag.came(2 * FRAME, 100.0)
    assert lag.at(100.0) == 0.0
    assert lag.at(101.0) == pytest.approx(1 - FRAME)


def test_nothing_is_kept_of_what_is_answered() -> None:
    lag = Lag()
    for frame in range(1000):
        lag.came(FRAME, frame * FRAME)
        lag.answered(FRAME)
    assert len(lag._arrivals) <= 1
