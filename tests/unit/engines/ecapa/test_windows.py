"""Windows over a stretch of speech: they cover it, and each instant has one that tells its speaker."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.ecapa.speech import Stretch
from speechmlx.engines.ecapa.windows import HOP, LENGTH, windows


@given(start=st.floats(0, 1000), length=st.floats(0.1, 60))
def test_windows_tile_the_stretch(start: float, length: float) -> None:
    stretch = Stretch(start, start + length)
    found = list(windows(stretch))
    assert (found[0].first, found[-1].last) == (stretch.start, stretch.end)
    for one, after in pairwise(found):
        assert after.first == pytest.approx(one.last)
    for window in found:
        assert stretch.start <= window.start and window.end <= stretch.end + 1e-6
        assert window.start - 1e-6 <= window.first < window.last <= window.end + 1e-6
        assert window.seconds == pytest.approx(min(LENGTH, length))


@pytest.mark.parametrize(("length", "count"), [(0.2, 1), (1.5, 1), (1.6, 2), (2.0, 2), (2.1, 3), (11.5, 21)])
def test_a_window_for_each_hop(length: float, count: int) -> None:
    found = list(windows(Stretch(3.0, 3.0 + length)))
    assert len(found) == count
    assert all(after.start - one.start <= HOP + 1e-6 for one, after in pairwise(found))
