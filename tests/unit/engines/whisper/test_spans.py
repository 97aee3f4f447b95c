"""What is worth decoding, from loudness alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.whisper.spans import FRAME, PAD, levels, speech_spans, windows

RATE = 16_000


def talk(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades four times a second, as syllables do."""
    time = np.arange(round(seconds * RATE)) / RATE
    swell = np.maximum(0.02, np.sin(2 * np.pi * 4 * time)) ** 2
    return (0.2 * swell * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_levels_are_decibels_of_full_scale() -> None:
    assert levels(np.ones(RATE, np.float32), RATE) == pytest.approx(np.zeros(50))
    assert levels(np.full(RATE, 0.1, np.float32), RATE) == pytest.approx(np.full(50, -20.0), abs=1e-3)
    assert len(levels(np.zeros(1, np.float32), RATE)) == 1


def test_speech_between_silences_is_found() -> None:
    found = speech_spans(levels(np.concatenate([silence(5), talk(3), silence(4), talk(2, 1), silence(6)]), RATE))
    assert len(found) == 2
    assert found[0] == pytest.approx((5 - PAD, 8 + PAD), abs=0.15)
    assert found[1] == pytest.approx((12 - PAD, 14 + PAD), abs=0.15)


def test_short_silence_at_the_ends_is_kept() -> None:
    level = levels(np.concatenate([silence(0.5), talk(3), silence(0.8)]), RATE)
    assert speech_spans(level) == [(0.0, len(level) * FRAME)]


@pytest.mark.parametrize("loudness", [1e-5, 0.001, 0.05, 0.5])
def test_steady_noise_is_not_speech(loudness: float) -> None:
    noise = loudness * np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32)
    assert speech_spans(levels(noise, RATE)) == []


def test_speech_in_noise_is_found() -> None:
    noise = 0.01 * np.random.default_rng(2).standard_normal(10 * RATE).astype(np.float32)
    found = speech_spans(levels(talk(10) + noise, RATE))
    assert sum(end - start for start, end in found) > 9


def test_no_audio_has_no_speech() -> None:
    assert speech_spans(levels(np.zeros(0, np.float32), RATE)) == []


@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.5, 20)), min_size=1, max_size=12),
    st.floats(5, 30),
)
def test_windows_cover_all_speech_in_order_and_fit(parts: list[tuple[float, float]], longest: float) -> None:
    spans, time = [], 0.0
    for length, gap in parts:
        spans.append((time, time + length))
        time += length + gap
    found = windows(spans, np.zeros(round(time / FRAME) + 1, np.float32), longest)
    assert all(0 < end - start <= longest + 1e-6 for start, end in found)
    edges = [edge for window in found for edge in window]
    assert edges == sorted(edges)
    for start, end in spans:
        for moment in np.linspace(start, end, 7):
            assert any(first - 1e-6 <= moment <= last + 1e-6 for first, last in found)


def test_a_long_span_is_cut_where_it_is_quiet() -> None:
    level = np.zeros(round(40 / FRAME), np.float32)
    level[round(26 / FRAME) : round(26.4 / FRAME)] = -40
    first, second = windows([(0.0, 40.0)], level, 30)
    assert first[1] == second[0] == pytest.approx(26.2, abs=0.15)
