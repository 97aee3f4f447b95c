"""Histograms and what is counted of jobs and responses."""

from __future__ import annotations

import pytest

from speechmlx.runtime.front.metrics import Metrics
from speechmlx.runtime.histogram import Histogram

KIND = ("tts", "Speak")


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


def test_reports_of_the_engine_add_up() -> None:
    metrics, steps = Metrics(), Histogram()
    steps.observe(0.02)
    metrics.engine({"whisper": steps}, waiting=2, memory=10)
    metrics.engine({"whisper": steps}, waiting=0, memory=20, aims={"whisper": 0.04})
    metrics.engine({"whisper": steps}, waiting=0, memory=20)
    assert sum(metrics.steps["whisper"].counts) == 3 and metrics.step_aims == {"whisper": 0.04}
    assert (metrics.engine_waiting, metrics.engine_memory) == (0, 20)
