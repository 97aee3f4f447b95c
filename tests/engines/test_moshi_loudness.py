"""Loudness after BS.1770, by the numbers that the recommendation and EBU Tech 3341 give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechmlx.engines.moshi.loudness import brought_to, loudness


def tone(rate: int, seconds: float, level: float, hertz: float = 997.0) -> Any:
    """A sine with a peak of `level` dB of full scale."""
    return (10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
@pytest.mark.parametrize("level", [0.0, -23.0])
def test_a_tone_has_its_loudness(rate: int, level: float) -> None:
    assert loudness(tone(rate, 5, level), rate) == pytest.approx(level - 3.01, abs=0.1)


def test_low_tones_count_less() -> None:
    assert loudness(tone(24000, 5, 0, 40), 24000) < -8 < loudness(tone(24000, 5, 0, 200), 24000)


def test_pauses_do_not_count() -> None:
    """As in Tech 3341, case 3: a tone between quiet ones."""
    parts = [tone(24000, 4, -36), tone(24000, 12, -23), tone(24000, 4, -36)]
    assert loudness(np.concatenate(parts), 24000) == pytest.approx(-26.01, abs=0.1)


@pytest.mark.parametrize("samples", [np.zeros(24000, np.float32), tone(24000, 0.3, 0)])
def test_silence_and_what_is_too_short_have_none(samples: Any) -> None:
    assert loudness(samples, 24000) == -np.inf
    assert brought_to(samples, 24000, -24) is samples


def test_a_recording_is_brought_to_a_loudness() -> None:
    assert loudness(brought_to(tone(24000, 3, -40), 24000, -24.0), 24000) == pytest.approx(-24, abs=0.01)
