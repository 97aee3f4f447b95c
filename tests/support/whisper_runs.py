"""Requests to a Whisper engine, and what their events say."""

from __future__ import annotations

from collections.abc import Sequence

from support.engine_runs import segments

from speechmlx.engines.whisper.engine import Whisper
from speechmlx.types import Event

RATE = 16_000


def text(events: Sequence[Event]) -> str:
    return "".join(segment.text for segment in segments(events)).strip()


def sampled(events: Sequence[Event]) -> list[int]:
    return [token for segment in segments(events) for token in segment.tokens]


def timings(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for segment in segments(events) for word in segment.words]


def empty(engine: Whisper) -> bool:
    batch = engine.offline
    searching = any(search._beams for search in batch._searches.values())
    return not batch._states and not batch._passes and not batch._greedy.rows and not searching
