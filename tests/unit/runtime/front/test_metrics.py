"""Histograms and what is counted of jobs and responses."""

from __future__ import annotations

import pytest

from speechmlx.runtime.front.metrics import BOUNDS, Histogram, Metrics

KIND = ("tts", "Speak")


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (BOUNDS[0], 0), (0.006, 1), (BOUNDS[-1], len(BOUNDS) - 1), (BOUNDS[-1] + 1, len(BOUNDS))],
)
def test_a_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed(seconds: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert [number for number, count in enumerate(histogram.counts) if count] == [bucket]
    assert (sum(histogram.counts), histogram.sum) == (1, seconds)


@pytest.mark.parametrize(
    ("outcome", "first_event", "firsts", "totals"),
    [("ok", 0.1, 1, 1), ("ok", None, 0, 1), ("cancelled", 0.1, 1, 0), ("busy", None, 0, 0)],
)
def test_what_is_counted_of_a_job(outcome: str, first_event: float | None, firsts: int, totals: int) -> None:
    metrics = Metrics()
    metrics.job("m", KIND, outcome, first_event, 2.0)
    assert metrics.jobs == {("m", outcome): 1}
    assert sum(metrics.first_event[KIND].counts) == firsts
    assert sum(metrics.total[KIND].counts) == totals


def test_only_the_stages_that_a_response_reached_are_counted() -> None:
    metrics = Metrics()
    metrics.response({"transcript": 0.2, "first_audio": None})
    metrics.response({"transcript": 0.3})
    assert {stage: sum(histogram.counts) for stage, histogram in metrics.stages.items()} == {"transcript": 2}
