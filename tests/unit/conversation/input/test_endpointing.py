"""Turns from probabilities: tables of what is heard and what follows, and what holds for any of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.input.endpointing import (
    MAX_TURN,
    Decision,
    Endpointer,
    IdleTimeout,
    TurnEnded,
    TurnPaused,
    TurnResumed,
    TurnStarted,
)
from speechmlx.conversation.settings import TurnTaking

FRAME = 0.032


def hear(turns: Endpointer, *stretches: tuple[float, float], start: float = 0.0) -> list[Decision]:
    """Decisions over stretches of (probability, seconds)."""
    frames = [probability for probability, seconds in stretches for _ in range(round(seconds / FRAME))]
    decisions: list[Decision] = []
    for number, probability in enumerate(frames):
        decisions += turns.push(probability, start + number * FRAME, start + (number + 1) * FRAME)
    return decisions


def test_a_turn() -> None:
    started, paused, stopped = hear(Endpointer(TurnTaking()), (0.0, 0.96), (0.9, 0.96), (0.0, 0.96))
    assert isinstance(started, TurnStarted) and started.at == pytest.approx(0.96 - 0.3)
    assert isinstance(paused, TurnPaused) and paused.since == pytest.approx(1.92)
    assert paused.at == pytest.approx(1.92 + 0.2, abs=FRAME)
    assert isinstance(stopped, TurnEnded) and stopped.at == pytest.approx(1.92 + 0.5, abs=FRAME)
    assert stopped.silence == pytest.approx(0.5, abs=FRAME)


@pytest.mark.parametrize(("silence", "told"), [(0.0, 0.0), (0.32, 0.32)])
def test_a_turn_ends_where_no_more_audio_comes(silence: float, told: float) -> None:
    turns = Endpointer(TurnTaking(silence=2.0))
    hear(turns, (0.9, 0.64), (0.0, silence))
    end = 0.65 + silence
    assert turns.end(end) == [TurnEnded(end, pytest.approx(told and told + 0.01))]  # type: ignore[arg-type]
    assert turns.end(end) == [] and not turns.in_turn
    assert hear(turns, (0.9, 0.64), start=0.64 + silence) == [TurnStarted(end)]


def test_where_nobody_speaks_nothing_ends() -> None:
    turns = Endpointer(TurnTaking(idle_timeout=1.0))
    turns.expect(0.0)
    assert turns.end(0.0) == []
    hear(turns, (0.0, 0.64), (0.9, FRAME))
    assert turns.end(0.7) == []


def test_a_click_is_no_turn() -> None:
    assert hear(Endpointer(TurnTaking()), (0.0, 0.32), (0.9, FRAME), (0.0, 0.96)) == []


def test_a_breath_does_not_end_a_turn() -> None:
    decisions = hear(Endpointer(TurnTaking()), (0.9, 0.64), (0.0, 0.32), (0.9, 0.64), (0.0, 0.96))
    assert [type(decision) for decision in decisions] == [TurnStarted, TurnPaused, TurnResumed, TurnPaused, TurnEnded]


def test_the_prefix_does_not_reach_into_the_turn_before() -> None:
    decisions = hear(Endpointer(TurnTaking(prefix=2.0)), (0.9, 0.64), (0.0, 0.64), (0.9, 0.64))
    stopped = next(decision for decision in decisions if isinstance(decision, TurnEnded))
    assert decisions[-1] == TurnStarted(stopped.at)


def test_a_turn_without_end_is_cut() -> None:
    decisions = hear(Endpointer(TurnTaking()), (0.9, 2.2 * MAX_TURN))
    assert [type(decision) for decision in decisions] == [TurnStarted, TurnEnded, TurnStarted, TurnEnded, TurnStarted]
    first, stopped, second, *_ = decisions
    assert isinstance(first, TurnStarted) and isinstance(stopped, TurnEnded)
    assert stopped.at - first.at == pytest.approx(MAX_TURN, abs=FRAME)
    assert second == TurnStarted(stopped.at)  # nothing is lost between them


def test_inside_a_turn_less_is_speech() -> None:
    assert hear(Endpointer(TurnTaking()), (0.4, 0.96)) == []
    decisions = hear(Endpointer(TurnTaking()), (0.9, 0.32), (0.4, 1.92))
    assert [type(decision) for decision in decisions] == [TurnStarted]


@pytest.mark.parametrize(("eagerness", "probability", "stops"), [
    ("low", 0.6, False), ("low", 0.8, True), ("medium", 0.6, True), ("medium", 0.4, False), ("high", 0.4, True),
])  # fmt: skip
def test_the_turn_detector_ends_a_turn(eagerness: str, probability: float, stops: bool) -> None:
    turns = Endpointer(TurnTaking(eagerness=eagerness))  # type: ignore[arg-type]
    _, paused = hear(turns, (0.9, 0.64), (0.0, 0.32))
    assert isinstance(paused, TurnPaused)
    assert bool(turns.judge(paused.since, probability)) is stops


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 8.0), ("medium", 4.0), ("high", 2.0)])
def test_no_thought_is_waited_for_longer_than_this(eagerness: str, seconds: float) -> None:
    turns = Endpointer(TurnTaking(eagerness=eagerness))  # type: ignore[arg-type]
    *_, stopped = hear(turns, (0.9, 0.64), (0.0, 10.0))
    assert isinstance(stopped, TurnEnded) and stopped.at == pytest.approx(0.64 + seconds, abs=FRAME)


def test_a_late_answer_of_the_turn_detector_counts_for_nothing() -> None:
    turns = Endpointer(TurnTaking(eagerness="high"))
    _, paused = hear(turns, (0.9, 0.64), (0.0, 0.32))
    assert isinstance(paused, TurnPaused)
    hear(turns, (0.9, 0.32), (0.0, 0.32), start=0.96)
    assert turns.judge(paused.since, 1.0) == []
    assert turns.in_turn


def test_silence_after_an_answer() -> None:
    turns = Endpointer(TurnTaking(idle_timeout=1.0))
    assert hear(turns, (0.0, 3.2)) == []
    turns.expect(4.0)
    (idle,) = hear(turns, (0.0, 3.2), start=3.2)
    assert isinstance(idle, IdleTimeout)
    assert idle.start == 4.0 and idle.at == pytest.approx(5.0, abs=FRAME)
    assert hear(turns, (0.0, 3.2), start=6.4) == []


def test_speech_is_not_idle() -> None:
    turns = Endpointer(TurnTaking(idle_timeout=1.0))
    turns.expect(0.0)
    assert not [one for one in hear(turns, (0.0, 0.64), (0.9, 0.64), (0.0, 3.2)) if isinstance(one, IdleTimeout)]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 40)), max_size=30),
    st.sampled_from([None, "low", "high"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_turns_follow_one_another(
    stretches: list[tuple[float, int]], eagerness: str | None, verdict: float, silence: float
) -> None:
    turns = Endpointer(TurnTaking(eagerness=eagerness, silence=silence, idle_timeout=0.5))  # type: ignore[arg-type]
    speaking, paused, last = False, False, 0.0
    for number, probability in enumerate(p for p, count in stretches for _ in range(count)):
        decisions = turns.push(probability, number * FRAME, (number + 1) * FRAME)
        for pause in [one for one in decisions if isinstance(one, TurnPaused)]:
            decisions += turns.judge(pause.since, verdict)
        for decision in decisions:
            match decision:
                case TurnStarted(at):
                    assert not speaking and last <= at <= number * FRAME
                    speaking, last = True, at
                case TurnEnded(at):
                    assert speaking and at >= last
                    speaking, paused, last = False, False, at
                case TurnPaused():
                    assert speaking and not paused
                    paused = True
                case TurnResumed():
                    assert speaking and paused
                    paused = False
                case IdleTimeout():
                    assert not speaking
        assert turns.in_turn is speaking
