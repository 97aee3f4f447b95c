"""Whisper says nothing about silence and noise."""

from __future__ import annotations

import numpy as np
import pytest
from support.engine_runs import run
from support.whisper_runs import RATE, text

from speechmlx.engines.whisper.engine import Whisper
from speechmlx.types import Audio, Transcribe, Usage


@pytest.mark.parametrize("vad", [True, False])
def test_nothing_is_said_about_silence_and_noise(engine: Whisper, vad: bool) -> None:
    draw = np.random.default_rng(3)
    length = (29 if vad else 10) * RATE
    sounds = {
        "silence": np.zeros(length),
        "white": 0.05 * draw.standard_normal(length),
        "brown": _brown(draw, length),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * np.arange(length) / RATE),
    }
    requests = [
        Transcribe(audio=Audio(one.astype(np.float32), RATE), language="en", vad=vad) for one in sounds.values()
    ]
    found = {kind: text(events) for kind, events in zip(sounds, run(engine, *requests), strict=True)}
    assert found == dict.fromkeys(sounds, "")


def _brown(draw: np.random.Generator, length: int) -> np.ndarray:
    spectrum = np.fft.rfft(draw.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), length // 200)
    sound = np.fft.irfft(spectrum, length)
    return 0.05 * sound / sound.std()


def test_very_short_and_empty_audio(tiny: Whisper) -> None:
    for length in (0, 1, 399, 400, 1600):
        found = run(tiny, Transcribe(audio=Audio(np.zeros(length, np.float32), RATE)))[0]
        assert text(found) == "" and isinstance(found[-1], Usage)
