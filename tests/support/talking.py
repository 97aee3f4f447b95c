"""Runs requests on a synthesiser that batches, each to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.pcm import from_pcm16
from speechmlx.types import Chunk, End, Event, FeedText, Speak, SpeakStream

TEXT = "Hello there, you."
SHORT = {"max_tokens": 8, "seed": 5}
Floats = NDArray[np.float32]


def speak(text: str = TEXT, **fields: Any) -> Speak:
    return Speak(text=text, **{"options": SHORT, **fields})


def work(engine: Any, states: Sequence[Any], feeds: Sequence[Sequence[Any]] = ()) -> list[list[Event]]:
    """Step `states` to their end, each fed its commands whenever it is idle; gives their events."""
    left = [list(commands) for commands in feeds] or [[] for _ in states]
    found: list[list[Event]] = [[] for _ in states]
    for _ in range(2000):
        live = [place for place, state in enumerate(states) if not state.finished]
        if not live:
            break
        for place in live:
            if not states[place].busy and left[place]:
                engine.feed(states[place], left[place].pop(0))
        for place, events in zip(live, engine.step([states[place] for place in live]), strict=True):
            errors = [event for event in events if isinstance(event, Exception)]
            if errors:
                raise errors[0]
            found[place] += events
    for state in states:
        assert state.finished
        engine.end(state)
    return found


def run(engine: Any, *requests: Speak) -> list[list[Event]]:
    return work(engine, [engine.begin(request) for request in requests])


def stream(engine: Any, pieces: Sequence[str], **fields: Any) -> list[Event]:
    state = engine.begin(SpeakStream(**{"options": SHORT, **fields}))
    return work(engine, [state], [[*map(FeedText, pieces), End()]])[0]


def sound(events: Sequence[Event]) -> Floats:
    return from_pcm16(b"".join(event.pcm16 for event in events if isinstance(event, Chunk)))


def same(one: Sequence[Event], other: Sequence[Event]) -> bool:
    """Equal to one step of PCM16: the codec of a batch rounds otherwise than that of one stream."""
    a, b = sound(one), sound(other)
    return a.shape == b.shape and bool(np.abs(a - b).max() <= 1.01 / 32768)
