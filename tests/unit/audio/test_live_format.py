"""Samples in every encoding of a live wire, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.audio.live_format import AudioFormat

RAMP = np.linspace(-1, 1, 401, dtype=np.float32)


@pytest.mark.parametrize(
    ("encoding", "width", "error"),
    [
        ("pcm16", 2, 1e-4),
        ("int32", 4, 1e-6),
        ("float32", 4, 0),
        ("uint8", 1, 8e-3),
        ("ulaw", 1, 0.03),
        ("alaw", 1, 0.03),
    ],
)
def test_there_and_back(encoding: str, width: int, error: float) -> None:
    format = AudioFormat(encoding, 8000)  # type: ignore[arg-type]
    data = format.encode(RAMP)
    assert len(data) == width * len(RAMP) == format.width * len(RAMP)
    assert np.abs(format.decode(data) - RAMP).max() <= error
    assert format.seconds(8000 * width) == 1.0


def test_floats_that_are_no_numbers_are_tamed() -> None:
    data = np.array([np.nan, np.inf, -np.inf], "<f4").tobytes()
    assert AudioFormat("float32").decode(data).tolist() == [0.0, 1.0, -1.0]


def test_a_channel_is_chosen_or_all_are_mixed() -> None:
    data = np.stack([RAMP, -0.5 * RAMP, RAMP], axis=1).astype("<f4").tobytes()
    assert AudioFormat("float32", 16000, 3, 1).decode(data).tolist() == (-0.5 * RAMP).tolist()
    assert len(AudioFormat("float32", 16000, 3).decode(data)) == len(RAMP)
    assert AudioFormat("float32", 16000, 3).width == 12


def test_a_container_is_no_format_of_samples() -> None:
    container = AudioFormat("container")
    assert container.seconds(1000) == 0.0
    with pytest.raises(ValueError, match="container"):
        container.decode(b"\0\0")
    with pytest.raises(ValueError, match="container"):
        container.encode(RAMP)
