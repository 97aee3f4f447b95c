"""When the engine process reports its steps, and what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import scripted
from support.worker_bench import Bench

from speechmlx.engines import LoadOptions
from speechmlx.runtime.ipc.messages import EngineReport
from speechmlx.runtime.worker.step_meter import INTERVAL, StepMeter
from speechmlx.types import Progress


def test_reports_are_a_second_apart_while_there_is_work() -> None:
    meter = StepMeter()
    assert meter.report(0.0, waiting=0, idle=True) is None
    meter.count("whisper", 0.02)
    first = meter.report(0.0, waiting=1, idle=False)
    assert first is not None and (sum(first.steps["whisper"].counts), first.waiting) == (1, 1)
    meter.count("whisper", 0.02)
    assert meter.report(0.5, waiting=1, idle=False) is None
    second = meter.report(1.0, waiting=1, idle=False)
    assert second is not None and sum(second.steps["whisper"].counts) == 1


def test_the_last_steps_are_reported_when_the_work_is_done() -> None:
    meter = StepMeter()
    meter.count("whisper", 0.02)
    assert meter.report(0.0, waiting=1, idle=False) is not None
    meter.count("kokoro", 0.04)
    last = meter.report(0.1, waiting=0, idle=True)
    assert last is not None and list(last.steps) == ["kokoro"] and last.waiting == 0
    assert meter.report(0.2, waiting=0, idle=True) is None


def test_the_worker_reports_every_step_once() -> None:
    bench = Bench()
    bench.speak("steps=3")
    bench.run()
    reports = [message for message in bench.said if isinstance(message, EngineReport)]
    assert sum(sum(report.steps["scripted"].counts) for report in reports if "scripted" in report.steps) == 3
    assert reports[-1].waiting == 0


def _long_load(folder: Path, options: LoadOptions) -> Iterator[Progress]:
    for number in range(5):
        yield Progress("load", number, 5)


def test_slices_of_a_load_are_signs_of_life_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a long load with a request that waits for it would count as a hang."""
    monkeypatch.setattr(scripted, "load", _long_load)
    bench = Bench()
    bench.speak()
    bench.run(1)
    for _ in range(4):
        bench.said.clear()
        bench.now += INTERVAL
        bench.run(1)  # a slice, and the report of the one before
        assert any(isinstance(message, EngineReport) for message in bench.said)
