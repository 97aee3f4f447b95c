"""The buffer of a live stream: what is speech in it, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.parts.speech_buffer import SpeechBuffer

RATE = 16_000
SILENCE = np.zeros(2 * RATE, np.float32)
HUM = (0.05 * np.sin(2 * np.pi * 300 * np.arange(4 * RATE) / RATE)).astype(np.float32)


def talk(seconds: float) -> np.ndarray:
    """Noise whose loudness changes as that of speech does."""
    draw = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * draw.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) ** 3).astype(np.float32)


def filled(*parts: np.ndarray, chunk: int = 1600) -> SpeechBuffer:
    buffer, samples = SpeechBuffer(), np.concatenate(parts)
    for first in range(0, len(samples), chunk):
        buffer.append(samples[first : first + chunk])
    return buffer


@pytest.mark.parametrize(
    ("parts", "speaking", "paused", "end"),
    [
        ((SILENCE,), False, False, 0),
        ((HUM,), False, False, None),
        ((SILENCE, talk(3)), True, False, 250),
        ((SILENCE, talk(3), SILENCE[: RATE // 2]), True, False, 250),
        ((SILENCE, talk(3), SILENCE), True, True, 250),
    ],
)
def test_speech(parts: tuple[np.ndarray, ...], speaking: bool, paused: bool, end: int | None) -> None:
    buffer = filled(*parts)
    assert buffer.speech() == (speaking, paused)
    assert end is None or buffer.speech_end() == pytest.approx(end, abs=3)


@pytest.mark.parametrize("chunk", [333, 1600, 80_000])
def test_pieces_do_not_matter(chunk: int) -> None:
    buffer, expected = filled(SILENCE, talk(3), chunk=chunk), filled(SILENCE, talk(3))
    assert np.array_equal(buffer.audio, expected.audio)
    np.testing.assert_allclose(buffer._levels, expected._levels, atol=1e-3)


def test_dropping_moves_the_origin() -> None:
    buffer = filled(SILENCE, talk(3))
    buffer.drop(4 * RATE)
    assert (len(buffer), buffer.origin, buffer.places) == (RATE, 4 * RATE, 50)
    assert buffer.speech()[0] and buffer.speech_end() <= 50


def test_loudness_is_kept_for_half_a_minute() -> None:
    buffer = filled(SILENCE, talk(40), chunk=RATE)
    buffer.drop(len(buffer) - RATE)
    assert len(buffer._levels) == 1500
