"""Why the package's sessions of several texts are not used: what docs/models.md says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from mlx_audio.tts.continuous import TTSBatchItem, TTSBatchOptions

SESSIONS = {"qwen3_tts": "vivian", "higgs_audio_v3": None}
"""Families with such sessions, and a voice of each."""
TEXTS = ("Hello world. Another test!", "One more.")


def spoken(engine: Any, texts: Sequence[str], temperature: float, late: int = 0) -> list[np.ndarray]:
    """The sound of texts in one session, of which the second comes `late` steps after the first."""
    options = TTSBatchOptions(temperature=temperature, max_tokens=14, lang_code="english")
    session = engine.checkpoint.model.create_tts_batch_session(options)
    found: dict[int, np.ndarray] = {}
    voice = SESSIONS[engine.checkpoint.family]
    waiting = [TTSBatchItem(place, text, voice) for place, text in enumerate(texts)]
    mx.random.seed(3)
    for step in range(100):
        if waiting and step >= late * (len(texts) - len(waiting)):
            session.add([waiting.pop(0)])
        found |= {event.sequence_id: np.array(event.audio) for event in session.step() if event.done}
        if session.idle and not waiting:
            break
    return [found[place] for place in range(len(texts))]


@pytest.mark.parametrize("late", [0, 3])
@pytest.mark.parametrize("name", SESSIONS)
def test_without_chance_a_text_is_that_of_a_session_of_its_own(bridged: Load, name: str, late: int) -> None:
    engine = bridged(f"tts/{name}")
    lone = [spoken(engine, [text], 0.0)[0] for text in TEXTS]
    together = spoken(engine, TEXTS, 0.0, late)
    for one, other in zip(lone, together, strict=True):
        assert len(one) == len(other) > 0 and np.abs(one - other).max() < 1e-4


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_drawn_for_one_text_depends_on_the_others(bridged: Load, name: str) -> None:
    engine = bridged(f"tts/{name}")
    lone, (together, _) = spoken(engine, TEXTS[:1], 1.0)[0], spoken(engine, TEXTS, 1.0)
    assert len(lone) != len(together) or np.abs(lone - together).max() > 1e-3
