"""The events of one step of several requests, and errors that end one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speechmlx.engines import RequestState
from speechmlx.types import Event

StepEvents = dict[int, list[Event | Exception]]
"""By the identity of the state."""


@contextmanager
def ends_alone(state: RequestState, events: StepEvents) -> Iterator[None]:
    """An error inside ends the request alone."""
    try:
        yield
    except Exception as error:
        state.finished = True
        events[id(state)].append(error)
