"""What a live session leaves in the metrics."""

from __future__ import annotations

from speechmlx.conversation.events import Advanced, Cleared, TranscriptDelta
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.protocols.live_meter import KEPT, LiveMeter
from speechmlx.runtime.front.metrics import Metrics
from speechmlx.runtime.histogram import Histogram
from speechmlx.types import Word


def delta(*ends: float) -> TranscriptDelta:
    words = tuple(Word(" w", end - 0.5, end, 0.9) for end in ends)
    return TranscriptDelta("item", TranscriptUpdate("w", words))


def observed(histogram: Histogram) -> tuple[int, float]:
    return sum(histogram.counts), round(histogram.sum, 3)


def test_latency_is_from_the_arrival_of_a_words_end() -> None:
    now = [100.0]
    metrics = Metrics()
    meter = LiveMeter("asr", metrics, lambda: now[0])
    for _ in range(20):
        meter.audio(0.1)
        now[0] += 0.1
    now[0] = 103.0
    meter.event(delta(0.5, 1.0))  # they had come at 100.4 and 100.9
    assert observed(metrics.commit_latency["asr"]) == (2, 4.7)
    assert (metrics.live_words["asr"], round(metrics.live_audio["asr"], 3)) == (2, 2.0)


def test_lag_is_what_waits_for_recognition() -> None:
    metrics = Metrics()
    meter = LiveMeter("asr", metrics)
    meter.event(Advanced(at=3.0, transcribed=2.5, received=3.25, in_turn=True))
    assert observed(metrics.live_lag["asr"]) == (1, 0.75)


def test_words_of_containers_are_counted_without_latency() -> None:
    metrics = Metrics()
    meter = LiveMeter("asr", metrics)
    meter.audio(0.0)
    meter.event(delta(1.0))
    meter.event(Cleared())
    assert (metrics.live_words["asr"], dict(metrics.commit_latency)) == (1, {})


def test_what_it_keeps_is_bounded_and_no_metrics_are_no_work() -> None:
    meter = LiveMeter("asr", Metrics())
    for _ in range(round(KEPT) * 3):
        meter.audio(1.0)
    assert len(meter._arrivals) <= KEPT + 1
    nothing = LiveMeter("", None)
    nothing.audio(1.0)
    nothing.event(delta(1.0))
    assert not nothing._arrivals
