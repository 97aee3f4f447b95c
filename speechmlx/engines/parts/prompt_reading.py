"""Prompts of several requests, read piece by piece between the frames of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from speechmlx.engines.step_size import StepSize

State = TypeVar("State")


def read_shortest_first(
    size: StepSize,
    aim: float,
    states: Iterable[State],
    unread: Callable[[State], int],
    read: Callable[[State, int], int],
) -> None:
    """Read the prompts of `states`, the shortest first, up to the positions that a step of `aim` seconds has time for.

    `unread`: positions of a state that are not read. `read`: reads so many at most, and returns how many.
    """
    waiting = sorted((state for state in states if unread(state)), key=unread)
    if not waiting:
        return
    left = size.units(aim)
    with size.timed(aim, min(left, sum(map(unread, waiting)))):
        for state in waiting:
            if left > 0:
                left -= read(state, left)
