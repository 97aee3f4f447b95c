"""Durations in buckets."""

from __future__ import annotations

import pytest

from speechmlx.runtime.histogram import BOUNDS, Histogram


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (BOUNDS[0], 0), (0.006, 1), (BOUNDS[-1], len(BOUNDS) - 1), (BOUNDS[-1] + 1, len(BOUNDS))],
)
def test_a_duration_is_counted_in_the_first_bucket_that_holds_it(seconds: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.counts.index(1) == bucket
    assert (sum(histogram.counts), histogram.sum) == (1, seconds)


def test_histograms_are_added() -> None:
    histogram, other = Histogram(), Histogram()
    histogram.observe(0.001)
    other.observe(0.001)
    other.observe(1000.0)
    histogram.add(other)
    assert (histogram.counts[0], histogram.counts[-1], histogram.sum) == (2, 1, pytest.approx(1000.002))
