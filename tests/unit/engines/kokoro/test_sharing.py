"""Several requests of one engine: whose step it is, and who shares it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from speechmlx.engines.kokoro.sharing import SpeechState, step
from speechmlx.types import Event, Priority, Progress

NOBODY: Any = None
"""An encoder that is not needed."""


def steps(*events: int | Exception | None) -> Iterator[Event | None]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield None if event is None else Progress("load", event, 9)


def numbers(events: list[Event | Exception]) -> list[Any]:
    return [event.done if isinstance(event, Progress) else event for event in events]


def state(*events: int | Exception | None, priority: Priority = Priority.INTERACTIVE) -> SpeechState:
    return SpeechState(priority, steps(*events))


def test_the_first_has_the_step() -> None:
    one, two = state(1, None, 2, 3), state(4)
    assert [[numbers(events) for events in step(NOBODY, [one, two])] for _ in range(2)] == [[[1], []], [[2, 3], []]]
    assert one.finished and not two.finished
    assert numbers(step(NOBODY, [two])[0]) == [4]


def test_an_error_ends_its_request_alone() -> None:
    error = ValueError("no")
    one, two = state(1, error), state(2)
    assert numbers(step(NOBODY, [one, two])[0]) == [1, error] and one.finished
    assert numbers(step(NOBODY, [two])[0]) == [2]


def test_who_takes_part_in_an_encoding() -> None:
    """Those of its priority that wait, and those that read; the vocoder of another has no step."""
    first, waits, reads, sounds, bulk = state(), state(), state(5), state(6), state(7, priority=Priority.BULK)
    sounds.is_sounding = True
    piece: Any = object()
    for one in (first, waits):
        next(one.encode(piece))

    def fails(*_: Any) -> Any:
        raise ValueError("not finite")

    encoder: Any = SimpleNamespace(context=fails)
    pieces: Any = SimpleNamespace(style=mx.zeros((1, 256)), tokens=None, speed=1.0)
    first.piece = waits.piece = pieces
    found = step(encoder, [first, waits, reads, sounds, bulk])
    assert [numbers(events) for events in found] == [[], [], [5], [], []]
    assert isinstance(first.encoded, ValueError) and waits.encoded is first.encoded
    assert not (first.waits or waits.waits) and reads.finished


def test_what_failed_to_encode_is_raised_in_each() -> None:
    one = state()
    piece: Any = object()
    waiting = one.encode(piece)
    next(waiting)
    assert one.waits
    one.encoded = ValueError("not finite")
    assert not one.waits
    with pytest.raises(ValueError, match="not finite"):
        next(waiting)
    assert one.piece is None and one.encoded is None
