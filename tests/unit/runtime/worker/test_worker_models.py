"""How the worker loads, keeps and unloads models."""

from __future__ import annotations

import pytest
from support.worker_bench import ROWS, Bench

from speechmlx import machine
from speechmlx.models.spec import Model
from speechmlx.runtime.ipc.messages import CancelJob, Loading, Setup
from speechmlx.runtime.worker import worker
from speechmlx.types import Load, Priority, Progress, Unload


def test_a_load_that_fails_ends_all_that_wait_and_can_be_tried_again() -> None:
    bench = Bench()
    jobs = [bench.speak(model="scripted-broken"), bench.speak(model="scripted-broken")]
    bench.run()
    for job in jobs:
        failure = bench.end(job).failure
        assert failure is not None
        assert "scripted not to load" in failure.message
    assert bench.held() == []
    again = bench.speak(model="scripted-broken")
    bench.run()
    assert bench.ended(again)


def test_a_load_is_sliced_live_work_goes_on() -> None:
    bench = Bench()
    bench.speak()
    bench.run()
    bench.said.clear()
    live = bench.speak("steps=8", priority=Priority.REALTIME)
    loading = bench.start(Load(model="scripted-enhance"), "scripted-enhance")
    bench.run()
    assert bench.order().index(loading) > bench.order().index(live)
    assert [e for e in bench.events(loading) if isinstance(e, Progress)]
    assert bench.end(loading).failure is None


def test_the_front_is_told_whether_a_step_is_of_a_load() -> None:
    bench = Bench()
    bench.speak(model="scripted-slow")
    bench.run(3)
    assert [message for message in bench.said if isinstance(message, Loading)] == [Loading(True)]
    bench.run()
    bench.start(Load(model="scripted-enhance"), "scripted-enhance")
    bench.run()
    told = [message.now for message in bench.said if isinstance(message, Loading)]
    assert told == [True, False, True, False]


def test_idle_models_make_room_running_ones_do_not() -> None:
    bench = Bench(memory=1_000_000_000)
    bench.speak()
    bench.run()
    running = bench.speak("steps=40", model="scripted-slow")
    bench.run()
    assert not bench.ended(running)
    assert bench.held() == ["scripted", "scripted-slow"]
    bench.worker.handle(Setup(901_000_000, 0.0))
    big = bench.speak("steps=40", model="scripted-big")
    bench.run(5)
    assert bench.held() == ["scripted-slow", "scripted-big"]
    bench.worker.handle(Setup(2_500_000, 0.0))  # of which the two hold 2 MB, now that they are loaded
    failure = bench.end(bench.speak()).failure
    assert failure is not None
    assert failure.code == "busy"
    assert bench.held() == ["scripted-slow", "scripted-big"]
    assert not bench.ended(running) and not bench.ended(big)


def test_without_a_limit_models_have_what_this_machine_and_its_gpu_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 10_000_000_000)
    monkeypatch.setattr(worker, "working_set", lambda: 6_000_000_000)
    bench = Bench(memory=0)
    assert bench.worker.budget == 6_000_000_000 - 500_000_000
    bench.worker.handle(Setup(8_000_000_000, 0.0))
    assert bench.worker.budget == 8_000_000_000


def test_no_room_ever_is_said_at_once() -> None:
    bench = Bench(memory=1_500_000)
    job = bench.speak(model="scripted-big")
    failure = bench.end(job).failure
    assert failure is not None
    assert failure.code == "model_unavailable"
    assert "needs 900 MB" in failure.message


def test_room_is_counted_in_the_type_of_the_weights() -> None:
    bench = Bench(memory=500_000_000, dtype="float16")
    bench.speak(model="scripted-big")
    assert bench.held() == ["scripted-big"]


def test_idle_unload_spares_the_pinned() -> None:
    bench = Bench(idle_unload=10.0)
    bench.speak()
    pin = bench.start(Load(model="scripted-slow", pin=True), "scripted-slow")
    bench.run()
    assert bench.ended(pin)
    assert 0 < bench.worker.patience() <= 10
    bench.now += 11
    bench.run()
    assert bench.held() == ["scripted-slow"]


def test_unload_waits_for_nobody() -> None:
    bench = Bench()
    running = bench.speak("steps=40")
    bench.run()
    refused = bench.start(Unload(model="scripted"))
    failure = bench.end(refused).failure
    assert failure is not None
    assert failure.code == "busy"
    bench.worker.handle(CancelJob(running))
    bench.run()
    accepted = bench.start(Unload(model="scripted"))
    assert bench.end(accepted).failure is None
    assert bench.held() == []


@pytest.mark.parametrize("others", [False, True])
def test_a_launch_cancelled_while_its_model_loads_leaves_nothing_unless_others_wait(others: bool) -> None:
    bench = Bench()
    launch = bench.start(Load(model="scripted-slow", pin=True), "scripted-slow")
    waiting = [bench.speak("steps=1", model="scripted-slow")] if others else []
    bench.run(3)
    bench.worker.handle(CancelJob(launch))
    bench.run()
    assert bench.ended(launch)
    assert bench.held() == ["scripted-slow"] * others
    assert all(bench.end(job).failure is None for job in waiting)


def test_a_request_that_leaves_while_its_model_loads_has_it_loaded_for_the_next() -> None:
    bench = Bench()
    gone = bench.speak(model="scripted-slow")
    bench.run(3)
    bench.worker.handle(CancelJob(gone))
    bench.run()
    assert bench.held() == ["scripted-slow"]


def test_rows_are_what_tests_think() -> None:
    assert isinstance(ROWS["scripted"], Model)
