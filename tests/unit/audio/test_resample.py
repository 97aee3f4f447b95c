"""Resampling: exact lengths, the same tone, and pieces equal to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.audio.resample import Resampler, resample

RATES = [8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000]


@settings(deadline=None)
@given(st.integers(0, 20_000), st.sampled_from(RATES), st.sampled_from(RATES))
def test_n_samples_give_exactly_the_ratio(n: int, source: int, target: int) -> None:
    assert len(resample(np.zeros(n, np.float32), source, target)) == round(n * target / source)


@pytest.mark.parametrize(("source", "target"), [(24000, 16000), (16000, 48000), (44100, 16000)])
def test_a_tone_stays_the_same_tone(source: int, target: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(source) / source).astype(np.float32)
    out = resample(tone, source, target)
    expected = np.sin(2 * np.pi * 440 * np.arange(target) / target)
    assert np.abs(out - expected)[500:-500].max() < 1e-3


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8), st.sampled_from([(8000, 48000), (44100, 16000)]))
def test_pieces_equal_the_whole(sizes: list[int], rates: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32) * 0.1
    resampler = Resampler(*rates)
    pieces = [resampler.push(piece) for piece in np.split(samples, np.cumsum(sizes)[:-1])]
    joined = np.concatenate([*pieces, resampler.flush()])
    np.testing.assert_allclose(joined, resample(samples, *rates), atol=1e-6)
