"""Requests to a Qwen3-TTS, and how alike their sound is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from support import engine_runs
from support.engine_runs import sound

from speechmlx.types import Event, Speak

TEXT = "Hello there, you."
SHORT = {"max_tokens": 8, "seed": 5}
stream = partial(engine_runs.stream, options=SHORT)


def speak(text: str = TEXT, **fields: Any) -> Speak:
    return Speak(text=text, **{"options": SHORT, **fields})


def same(one: Sequence[Event], other: Sequence[Event]) -> bool:
    """Equal to one step of PCM16: the codec of a batch rounds otherwise than that of one stream."""
    a, b = sound(one), sound(other)
    return a.shape == b.shape and bool(np.abs(a - b).max() <= 1.01 / 32768)
