"""The buffer keeps what is needed and finds it by its time."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.conversation.input.buffer import RATE, AudioBuffer


def filled(*lengths: float) -> AudioBuffer:
    """Pieces of so many seconds; each sample is its own number."""
    buffer, begin = AudioBuffer(), 0
    for length in lengths:
        count = round(length * RATE)
        buffer.add(np.arange(begin, begin + count, dtype=np.float32))
        begin += count
    return buffer


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.6), (0.05, 0.15), (0.1, 0.3), (0.25, 0.26), (0.5, 0.6), (0.2, 0.2)])
def test_a_slice_is_what_lies_between(start: float, end: float) -> None:
    samples = filled(0.1, 0.2, 0.3).slice(start, end).samples
    assert samples.tolist() == list(range(round(start * RATE), round(end * RATE)))


def test_what_is_not_there_is_left_out() -> None:
    buffer = filled(0.1, 0.1)
    assert len(buffer.slice(0.15, 5.0).samples) == round(0.05 * RATE)
    assert len(buffer.slice(3.0, 5.0).samples) == 0


def test_pieces_are_dropped_whole_and_times_stay() -> None:
    buffer = filled(0.1, 0.1, 0.1)
    buffer.discard_before(0.15)
    assert (buffer.start, buffer.end) == pytest.approx((0.1, 0.3))
    assert buffer.slice(0.0, 0.12).samples.tolist() == list(range(1600, 1920))
    buffer.discard_before(1.0)
    assert (buffer.start, buffer.end) == pytest.approx((0.3, 0.3))


def test_the_audio_may_begin_later() -> None:
    buffer = AudioBuffer(start=2.5)
    assert buffer.start == buffer.end == 2.5
    buffer.add(np.ones(8000, np.float32))
    assert buffer.end == 3.0
    assert len(buffer.slice(2.75, 9.0).samples) == 4000
