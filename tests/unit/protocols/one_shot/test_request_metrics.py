"""What is counted of requests: machines have a limit in length and number."""

from __future__ import annotations

from typing import Any

from speechmlx.protocols.one_shot.request_metrics import MAX_MACHINES, OTHER, RequestMetrics
from speechmlx.runtime.front.metrics import HistogramSeries, Metrics


def read(metrics: Metrics) -> dict[str, Any]:
    return {series.name: dict(series.read()) for series in metrics.series}


def test_a_request_is_counted_by_machine_task_and_status() -> None:
    metrics = Metrics()
    counted = RequestMetrics(metrics)
    for status in ("ok", "ok", "bad_audio"):
        counted.request("m", "translate", status)
    counted.transcribed("m", "translate", 2.5, 0.4, None)
    counted.transcribed("m", "translate", 1.5, 0.2, 0.1)
    found = read(metrics)
    assert found["asr_requests"] == {("m", "translate", "ok"): 2, ("m", "translate", "bad_audio"): 1}
    assert found["asr_audio_seconds"] == {("m", "translate"): 4.0}
    assert [found[f"asr_{name}_seconds"]["m", "translate"].sum for name in ("processing", "postprocess")] == [
        0.4 + 0.2,
        0.1,
    ]
    labels = [series.labels for series in metrics.series if isinstance(series, HistogramSeries)]
    assert labels == [("machine_id", "task")] * 2


def test_long_names_are_cut_and_machines_beyond_the_limit_are_others() -> None:
    metrics = Metrics()
    counted = RequestMetrics(metrics)
    for number in range(MAX_MACHINES + 5):
        counted.request(f"{number:064d}more", "transcribe", "ok")
    counted.request(f"{0:064d}", "transcribe", "ok")
    counts = read(metrics)["asr_requests"]
    assert len(counts) == MAX_MACHINES + 1
    assert counts[f"{0:064d}", "transcribe", "ok"] == 2 and counts[OTHER, "transcribe", "ok"] == 5
