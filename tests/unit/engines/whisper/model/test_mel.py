"""The spectrogram: slices, scaling and windows."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.whisper.model import mel


def test_slices_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 3 * mel.RATE + 77).astype(np.float32)
    whole = np.concatenate(list(mel.log_mel_slices(samples, 80)))
    assert whole.shape == (300, 80)
    monkeypatch.setattr(mel, "SLICE_FRAMES", 64)
    slices = list(mel.log_mel_slices(samples, 80))
    assert [len(piece) for piece in slices] == [64] * 4 + [44]
    np.testing.assert_allclose(np.concatenate(slices), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("top", "loudest", "least"),
    [
        (1.0, 1.25, -0.75),
        (-1.0, 0.75, -1.25),
        (-5.0, 0.75, -1.25),  # raised to QUIET
        (-20.0, -1.5, -1.5),  # nothing to raise
    ],
)
def test_normalize(top: float, loudest: float, least: float) -> None:
    log_mel = np.full((4, 80), -20.0, np.float32)
    log_mel[1, 40] = top
    scaled = mel.normalize(log_mel)
    assert scaled.max() == pytest.approx(loudest) and scaled.min() == pytest.approx(least)


def test_bands_below_speech_do_not_count_as_loudness() -> None:
    log_mel = np.full((4, 80), -20.0, np.float32)
    log_mel[1, 40], log_mel[2, 0] = -5.0, 3.0
    assert mel.normalize(log_mel)[1, 40] == pytest.approx(0.75)


def test_a_window_is_padded_with_zeros() -> None:
    spectrogram = np.ones((100, 80), np.float32)
    window = mel.window(spectrogram, 90, 100, 200)
    assert window.shape == (200, 80) and window.sum() == 10 * 80
    assert mel.window(spectrogram, 0, 100, 40).shape == (40, 80)


@pytest.mark.parametrize(("frames", "encoded"), [(1, 200), (200, 200), (201, 400), (2999, 3000), (9000, 3000)])
def test_roomy(frames: int, encoded: int) -> None:
    assert mel.roomy(frames) == encoded
