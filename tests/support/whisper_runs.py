"""Requests to a Whisper engine, and what their events say."""

from __future__ import annotations

from collections.abc import Sequence

from speechmlx.engines.whisper.engine import Whisper
from speechmlx.types import Event, Request, Segment

RATE = 16_000


def run(engine: Whisper, requests: Sequence[Request]) -> list[list[Event]]:
    """Every request's events, all stepped together."""
    states = [engine.begin(request) for request in requests]
    found: list[list[Event]] = [[] for _ in states]
    while live := [state for state in states if not state.finished]:
        for state, events in zip(live, engine.step(live), strict=True):
            for event in events:
                assert not isinstance(event, Exception), event
                found[states.index(state)].append(event)
    for state in states:
        engine.end(state)
    return found


def segments(events: Sequence[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def text(events: Sequence[Event]) -> str:
    return "".join(segment.text for segment in segments(events)).strip()


def sampled(events: Sequence[Event]) -> list[int]:
    return [token for segment in segments(events) for token in segment.tokens]


def timings(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for segment in segments(events) for word in segment.words]


def empty(engine: Whisper) -> bool:
    batch = engine.offline
    searching = any(search._beams for search in batch._searches.values())
    return not batch._states and batch._encoder_pass is None and not batch._greedy.rows and not searching
