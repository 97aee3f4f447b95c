"""What the tests of live recognisers share: sound like speech, streams in pieces, what a stream holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from speechmlx.types import Event, Hypothesis, Listen, Usage, Word


def talk(seconds: float, seed: int = 0, pause: tuple[float, float] | None = None) -> np.ndarray:
    """Noise at 16 kHz whose loudness changes as that of speech does, with a pause from one second to another."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16000)) / 16000
    sound = 0.1 * draw.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) ** 3
    if pause:
        sound[round(pause[0] * 16000) : round(pause[1] * 16000)] *= 1e-4
    return sound.astype(np.float32)


def steps(stream: Any, samples: np.ndarray, piece: int) -> Iterator[Event | None]:
    """The steps of a stream that is fed `piece` samples at a time, to its end."""
    for first in range(0, len(samples), piece):
        yield from stream.feed(samples[first : first + piece])
    yield from stream.finish()


def listened(engine: Any, samples: np.ndarray, piece: int = 1280, **fields: Any) -> list[Event]:
    """The events of one stream."""
    stream = engine.open(Listen(**fields))
    try:
        return [event for event in steps(stream, samples, piece) if event is not None]
    finally:
        stream.close()


def committed(events: list[Event]) -> list[Word]:
    return [word for event in events if isinstance(event, Hypothesis) for word in event.committed]


def check_words(events: list[Event], duration: float) -> None:
    """Each word comes once, in order and inside the sound; the last word of the tail is committed in the end."""
    words = committed(events)
    assert words and events[-1] == Usage(audio_in=duration)
    assert all(0 <= word.start <= word.end <= duration + 0.1 for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))
    told = [event for event in events if isinstance(event, Hypothesis)]
    assert told[-1].tail == ()
    assert all(event.committed or event.tail or before.tail for before, event in pairwise(told)), "nothing for nothing"


def held(stream: Any) -> int:
    """Bytes and list entries that a stream holds, without the model's."""
    seen: set[int] = set()

    def of(value: Any) -> int:
        if id(value) in seen or isinstance(value, nn.Module):
            return 0
        seen.add(id(value))
        if isinstance(value, (mx.array, np.ndarray)):
            return int(value.nbytes)
        if isinstance(value, (list, tuple, set)):
            return len(value) + sum(of(item) for item in value)
        if isinstance(value, dict):
            return len(value) + sum(of(item) for item in value.values())
        return of(vars(value)) if hasattr(value, "__dict__") and not isinstance(value, (type, ModuleType)) else 0

    return of(vars(stream))
