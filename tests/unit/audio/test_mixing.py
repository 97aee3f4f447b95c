"""Channels to mono: the mean, unless that would take away what is said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from speechmlx.audio.mixing import FADE, mixed

RATE = 44_100
DRAW = np.random.default_rng(0)


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise under 4 kHz that swells four times a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(time)))
    spectrum[np.fft.rfftfreq(len(time), 1 / RATE) > 4000] = 0
    return (0.3 * np.fft.irfft(spectrum, len(time)) * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def mono(channels: list[np.ndarray], size: int = 1024, rate: int = RATE) -> np.ndarray:
    stacked = np.stack(channels)
    pieces = ((stacked[:, start : start + size], rate) for start in range(0, stacked.shape[1], size))
    return np.concatenate([samples for samples, _ in mixed(pieces)])


def level(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


A, B = voice(4), voice(4, 1)
HUM = (0.2 * np.sin(2 * np.pi * 50 * np.arange(len(A)) / RATE)).astype(np.float32)
ZERO = np.zeros_like(A)


@pytest.mark.parametrize("size", [1024, 65536])
@pytest.mark.parametrize("channels", [[A, A], [A, B], [A, ZERO], [A, A / 8 + B / 8], [A, ZERO, ZERO, ZERO, ZERO, ZERO]])
def test_the_mean_where_nothing_cancels(channels: list[np.ndarray], size: int) -> None:
    np.testing.assert_allclose(mono(channels, size), np.mean(channels, axis=0), atol=1e-6)


@pytest.mark.parametrize("size", [1024, 65536])
@pytest.mark.parametrize(
    ("channels", "strongest"),
    [
        ([A, -A], A),
        ([-A, 0.8 * A], -A),
        ([0.6 * A, -A], -A),
        ([A, -A, A, -A], A),
        ([A, -A, ZERO, ZERO, ZERO, ZERO], A),
        ([A + 0.2, -A + 0.2], A + 0.2),
        ([A + HUM, HUM - A], A + HUM),
    ],
)
def test_the_strongest_channel_where_the_mean_cancels(
    channels: list[np.ndarray], strongest: np.ndarray, size: int
) -> None:
    np.testing.assert_allclose(mono(channels, size), strongest, atol=1e-6)


def test_one_of_two_voices_cancels() -> None:
    """The host is in the middle; the guest's microphone is wired the wrong way round."""
    host, guest = np.concatenate([A, ZERO, A, ZERO]), np.concatenate([ZERO, B, ZERO, B])
    found = mono([host + guest, host - guest])
    for part, said in zip(np.array_split(found, 4), (A, B, A, B), strict=True):
        assert level(part) == pytest.approx(level(said), abs=1.0)
    assert np.abs(np.diff(found)).max() <= 1.1 * np.abs(np.diff(host + guest)).max()


def test_a_change_of_channels_or_rate_begins_anew() -> None:
    def pieces() -> Iterator[tuple[np.ndarray, int]]:
        yield np.stack([A[:9000], -A[:9000]]), RATE
        yield A[None, 9000:18_000], RATE
        yield np.stack([A[18_000:], A[18_000:]]), 48_000

    found = list(mixed(pieces()))
    assert [rate for _, rate in found] == [RATE, RATE, 48_000]
    np.testing.assert_allclose(np.concatenate([samples for samples, _ in found]), A, atol=1e-6)


def test_pcm_types_and_shortest_pieces() -> None:
    both = np.array([[16384, 0, 3], [0, 16384, 3]], np.int16)
    (found, rate), *rest = mixed(iter([(both, 8000)]))
    assert found.tolist() == [0.25, 0.25, 3 / 32768] and rate == 8000 and not rest
    assert [samples.tolist() for samples, _ in mixed(iter([(both[:, :1], 8000)]))] == [[0.25]]
    assert list(mixed(iter([]))) == []
    assert round(FADE * RATE) == 441
