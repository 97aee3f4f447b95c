"""PCM16 and samples: exact there and back, clipped, never NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from speechmlx.audio.pcm import FullScale, from_pcm16, to_float, to_pcm16, within_full_scale
from speechmlx.errors import BadAudio


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
        (np.array([0.25, np.nan, 2.5, -np.inf], np.float64), [0.25, 0.0, 2.5, 0.0]),
        (np.array([-1e300, 0.5], np.float64), [-(2.0**31), 0.5]),
    ],
)
def test_each_pcm_type_is_scaled_by_its_full_range(values: np.ndarray, expected: list[float]) -> None:
    assert to_float(values).tolist() == pytest.approx(expected)
    assert to_float(values).dtype == np.float32


def test_samples_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(BadAudio, match="no numbers"):
        to_float(np.array([np.nan, np.inf], np.float32))


SPEECH = (np.random.default_rng(0).standard_normal(16000) * np.hanning(16000) / 8).astype(np.float32)
"""Peak about a half."""


@pytest.mark.parametrize(
    ("times", "full"),
    [
        (1.0, 1.0),
        (8.0, 8.0 * np.abs(SPEECH).max()),
        (2.0**15, 2.0**15),
        (2.0**10, 2.0**15),
        (2.0**23, 2.0**23),
        (2.0**31, 2.0**31),
    ],
)
@pytest.mark.parametrize("padding", [0, 1_000_000])
def test_floats_beyond_full_scale_are_scaled(times: float, full: float, padding: int) -> None:
    """Also where there are few of them beside digital silence."""
    samples = np.pad((SPEECH * np.float32(times)).astype(np.float32), (padding, 0))
    np.testing.assert_allclose(within_full_scale(samples), samples / np.float32(full), atol=1e-7)


@pytest.mark.parametrize("fault", [1.3, 40.0, 1e6, 2.0**31])
def test_one_sample_far_over_the_others_is_clipped(fault: float) -> None:
    samples = SPEECH.copy()
    samples[100] = -fault
    found = within_full_scale(samples)
    assert found[100] == -1.0 and np.abs(found[8000:]).max() > np.abs(SPEECH[8000:]).max() / 10


def test_full_scale_does_not_depend_on_the_pieces() -> None:
    whole, parts = FullScale(), FullScale()
    loud = (SPEECH * 3000).astype(np.float32)
    whole.hear(loud)
    for piece in np.array_split(loud, 7):
        parts.hear(piece)
    assert whole.value == parts.value == 2.0**15


def test_what_resampling_makes_larger_than_any_integer_is_scaled_too() -> None:
    """It hung the request: the error was a StopIteration, in a thread that a request waited for."""
    samples = np.full(100, 2.0**31 * 1.2, np.float32)
    assert within_full_scale(samples).tolist() == [1.0] * 100
