"""Questions to Moshi's engine, and answers that are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.engine_runs import pcm

from speechmlx.types import Audio, Event, Respond, TextDelta

RATE, SIZE = 24000, 1920


def sound(seed: int, frames: float) -> Any:
    return 0.3 * np.random.RandomState(seed).standard_normal(int(frames * SIZE)).astype(np.float32)


def question(seed: int = 1, frames: float = 3.5, **settings: Any) -> Respond:
    return Respond(audio=Audio(sound(seed, frames), RATE), max_steps=settings.pop("max_steps", 8), **settings)


def texts(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, TextDelta)]


def assert_same(some: list[list[Event]], others: list[list[Event]]) -> None:
    """The same texts, and sounds that differ by a step of 16 bits at most: products of several rows round otherwise."""
    for one, other in zip(some, others, strict=True):
        assert texts(one) == texts(other)
        sounds = [np.frombuffer(pcm(events), "<i2").astype(int) for events in (one, other)]
        assert len(sounds[0]) == len(sounds[1]) and np.abs(sounds[0] - sounds[1]).max() <= 1
