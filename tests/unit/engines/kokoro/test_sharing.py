"""Whose turn it is among several requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from speechmlx.engines.kokoro.sharing import SpeechState, step
from speechmlx.types import Event, Progress


def steps(*events: int | Exception | None) -> Iterator[Event | None]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield None if event is None else Progress("load", event, 9)


def numbers(events: list[Event | Exception]) -> list[Any]:
    return [event.done if isinstance(event, Progress) else event for event in events]


def test_one_step_at_a_time_and_each_in_turn() -> None:
    one, two = SpeechState(steps(1, None, 2, 3)), SpeechState(steps(4, None, None, 5))
    encoder: Any = None  # nobody encodes
    found = [[numbers(events) for events in step(encoder, [one, two])] for _ in range(3)]
    assert found == [[[1], []], [[], [4]], [[2, 3], []]]
    assert one.finished
    assert [numbers(events) for _ in range(2) for events in step(encoder, [two])] == [[], [5]]
    assert two.finished


def test_an_error_ends_its_request_alone() -> None:
    error = ValueError("no")
    one, two = SpeechState(steps(1, error)), SpeechState(steps(2))
    encoder: Any = None
    found = [step(encoder, [one, two]) for _ in range(2)]
    assert numbers(found[0][0]) == [1, error] and one.finished and numbers(found[1][1]) == [2]


def test_what_failed_to_encode_is_raised_in_each() -> None:
    state = SpeechState()
    piece: Any = object()
    waiting = state.encode(piece)
    next(waiting)
    assert state.waits
    state.encoded = ValueError("not finite")
    assert not state.waits
    with pytest.raises(ValueError, match="not finite"):
        next(waiting)
    assert state.piece is None and state.encoded is None
