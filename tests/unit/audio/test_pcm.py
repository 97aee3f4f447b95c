"""PCM16 and samples: exact there and back, clipped, never NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from speechmlx.audio.pcm import from_pcm16, mix, to_float, to_pcm16


@given(arrays.arrays("<i2", st.integers(0, 200)))
def test_every_pcm16_value_survives_the_round_trip(values: np.ndarray) -> None:
    assert to_pcm16(from_pcm16(values.tobytes())) == values.tobytes()


@given(arrays.arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32)))
def test_any_float_gives_pcm16_within_half_a_step_of_its_clipped_value(samples: np.ndarray) -> None:
    back = from_pcm16(to_pcm16(samples))
    clipped = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1, 32767 / 32768)
    assert np.all(np.abs(back - clipped) <= 0.5 / 32768 + 1e-9)


def test_clipping_and_rounding() -> None:
    samples = np.array([1.0, -1.0, 2.0, -2.0, 0.4 / 32768, 0.6 / 32768, np.nan, np.inf], np.float32)
    assert np.frombuffer(to_pcm16(samples), "<i2").tolist() == [32767, -32768, 32767, -32768, 0, 1, 0, 32767]


def test_an_odd_last_byte_is_dropped() -> None:
    assert from_pcm16(b"\x00\x40\x01").tolist() == [0.5]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 128, 255], np.uint8), [-1.0, 0.0, 127 / 128]),
        (np.array([-32768, 16384], np.int16), [-1.0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1.0, 0.5]),
        (np.array([0.25, np.nan, 1e300, -np.inf], np.float64), [0.25, 0.0, 1.0, -1.0]),
    ],
)
def test_each_pcm_type_is_scaled_by_its_full_range(values: np.ndarray, expected: list[float]) -> None:
    assert to_float(values).tolist() == pytest.approx(expected)
    assert to_float(values).dtype == np.float32


def test_mix_is_the_mean_of_the_channels() -> None:
    assert mix(np.array([[1.0, 0.0], [0.0, 0.5]], np.float32)).tolist() == [0.5, 0.25]
