"""Runs requests of ChatTTS together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines.chattts.engine import ChatTts
from speechmlx.engines.chattts.speech_request import ChatSpeech
from speechmlx.types import Chunk, Event


def run(engine: ChatTts, *states: ChatSpeech) -> list[list[Event]]:
    """The events of requests that step together until all have ended."""
    found: list[list[Event]] = [[] for _ in states]
    while open_states := [state for state in states if not state.finished]:
        for state, events in zip(open_states, engine.step(open_states), strict=True):
            for event in events:
                if isinstance(event, Exception):
                    raise event
                found[states.index(state)].append(event)
    for state in states:
        engine.end(state)
    return found


def sound(events: Sequence[Event]) -> NDArray[np.float32]:
    """The samples among events."""
    return from_pcm16(b"".join(event.pcm16 for event in events if isinstance(event, Chunk)))
