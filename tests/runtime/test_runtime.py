"""The runtime with a real engine process: order, backpressure, faults and the way back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from support.scripted_runtime import running, speak, until

from speechmlx.config import Config
from speechmlx.errors import Busy, Draining, EngineFailed, EngineLost, ModelUnavailable, UnknownModel
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Enhance, Feed, Load, Priority, Progress, Speak, Unload

Start = Callable[..., Runtime]


@pytest.fixture
async def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    async with running(tmp_path, monkeypatch, Config(max_jobs=64)) as started:
        yield started


async def up(runtime: Runtime) -> None:
    async with asyncio.timeout(10):
        while runtime.status().engine != "ok":
            await asyncio.sleep(0.005)


def notes(trace: Path) -> list[str]:
    return [json.loads(line)["what"] for line in trace.read_text().splitlines()]


async def test_a_job_from_cold_to_end(runtime: Runtime) -> None:
    events = await runtime.submit(speak("steps=3")).collect()
    assert [type(event).__name__ for event in events] == ["Chunk", "Chunk", "Chunk", "Usage"]
    (model,) = runtime.status().models
    assert (model.name, model.state) == ("scripted", "loaded")


async def test_unknown_model_at_once(runtime: Runtime) -> None:
    with pytest.raises(UnknownModel, match=r"no model 'nothing'; known tts models: .*audio-server models"):
        runtime.submit(speak(model="nothing"))


async def test_weights_that_cannot_be_had(runtime: Runtime) -> None:
    with pytest.raises(ModelUnavailable):
        await runtime.submit(speak(model="scripted-nowhere")).collect()


async def test_a_model_without_an_engine_is_refused_before_it_is_fetched(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="scripted-unwritten cannot run: this version has no engine for it"):
        runtime.submit(speak(model="scripted-unwritten"))
    assert not (tmp_path / "cache").exists()


async def test_a_failing_engine_says_so_and_lives_on(runtime: Runtime) -> None:
    with pytest.raises(EngineFailed, match="scripted to fail"):
        await runtime.submit(speak("fail=1")).collect()
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_killed_with_four_jobs_running_each_has_an_error_within_a_second(runtime: Runtime) -> None:
    jobs = [runtime.submit(speak("steps=1000 work=0.02")) for _ in range(4)]
    first = [await anext(job) for job in jobs]
    assert all(isinstance(event, Chunk) for event in first)
    os.kill(runtime.status().pid, signal.SIGKILL)
    killed = time.monotonic()

    async def fate(job: Job) -> float:
        with pytest.raises(EngineLost, match="SIGKILL"):
            await job.finished()
        return time.monotonic() - killed

    waits = await asyncio.gather(*(fate(job) for job in jobs))
    assert max(waits) < 1.0
    assert runtime.status().engine == "degraded"
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2
    assert runtime.status().engine == "ok"


async def test_an_engine_that_kills_itself_again_and_again(runtime: Runtime) -> None:
    for _ in range(2):
        with pytest.raises(EngineLost):
            await runtime.submit(speak("die=1")).collect()
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_pinned_models_come_back_however_often_it_crashes(runtime: Runtime) -> None:
    await runtime.submit(Load(model="scripted-slow", pin=True)).collect()
    for loading in (True, False):  # killed when loaded, and killed again while it loads once more
        os.kill(runtime.status().pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while runtime.status().engine == "ok":
                await asyncio.sleep(0.005)
            while not any(model.state == "loading" or not loading for model in runtime.status().models):
                await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while not any(model.pinned and model.state == "loaded" for model in runtime.status().models):
            await asyncio.sleep(0.01)


async def test_live_sessions_are_served_when_jobs_are_many(runtime: Runtime) -> None:
    jobs = [runtime.submit(speak("steps=100 work=0.001")) for _ in range(64)]
    live = Speak(text="steps=1", model="scripted", priority=Priority.REALTIME)
    async with asyncio.timeout(10):
        assert len(await runtime.submit(live).collect()) == 2
    assert not all(job.ended for job in jobs)


async def test_leaving_closes_the_generator_within_a_step(runtime: Runtime, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with runtime.submit(speak(f"steps=1000 work=0.02 trace={trace}")) as job:
        await anext(job)
    left = time.monotonic()
    async with asyncio.timeout(30):
        while "close" not in notes(trace):
            await asyncio.sleep(0.005)
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    steps_after = [line for line in lines if line["what"].startswith("step") and line["at"] > left]
    assert len(steps_after) <= 1
    assert runtime.status().jobs == 0


async def test_a_slow_reader_pauses_its_job_while_others_finish(runtime: Runtime, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with runtime.submit(speak(f"steps=200 trace={trace}")) as slow:
        await anext(slow)
        assert len(await runtime.submit(speak("steps=50")).collect()) == 51
        await asyncio.sleep(0.1)
        stepped = len([what for what in notes(trace) if what.startswith("step")])
        assert stepped < 40
        rest = [event async for event in slow]
    assert len(rest) == 200


async def test_sixty_four_at_once_and_the_next_is_refused(runtime: Runtime) -> None:
    jobs = [runtime.submit(speak("steps=3 work=0.001")) for _ in range(64)]
    with pytest.raises(Busy) as refused:
        runtime.submit(speak())
    assert refused.value.retry_after
    async with asyncio.timeout(20):
        events = await asyncio.gather(*(job.collect() for job in jobs))
    assert [len(each) for each in events] == [4] * 64


async def test_a_stream_holds_back_who_feeds_it_too_fast(runtime: Runtime) -> None:
    samples = np.linspace(-0.5, 0.5, 4800, dtype=np.float32)
    fed = 0

    async def blocks() -> AsyncIterator[NDArray[np.float32]]:
        nonlocal fed
        while fed < 100:
            fed += 1
            yield samples

    async with runtime.submit(Enhance(model="scripted-enhance")).fed_by(blocks()) as job:
        await asyncio.sleep(0.5)
        assert fed < 100  # nobody reads, so the engine does not step, so the feeder waits
        enhanced = b"".join([event.pcm16 async for event in job if isinstance(event, Chunk)])
    assert len(enhanced) == 100 * 4800 * 2
    np.testing.assert_allclose(np.frombuffer(enhanced, "<i2")[:4800] / 32767, samples, atol=1e-4)


async def test_a_long_recording_crosses_the_pipe_while_others_are_served(runtime: Runtime) -> None:
    await runtime.submit(speak("steps=1")).collect()
    big = np.zeros(16_000_000, np.float32)
    async with runtime.submit(Enhance(model="scripted-enhance")) as job:
        await job.send(Feed(big))
        worst = 0.0
        for _ in range(50):
            asked = time.monotonic()
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - asked)
        assert worst < 0.25
        await job.end()
        total = sum([len(event.pcm16) async for event in job if isinstance(event, Chunk)])
    assert total == 2 * len(big)


async def test_load_tells_progress_and_unload_frees(runtime: Runtime) -> None:
    events = await runtime.submit(Load(model="scripted-slow")).collect()
    assert any(isinstance(event, Progress) and event.stage == "load" for event in events)
    assert [model.name for model in runtime.status().models] == ["scripted-slow"]
    before = runtime.status().pid
    await runtime.submit(Unload(model="scripted-slow")).collect()
    async with asyncio.timeout(10):
        while runtime.status().pid == before:
            await asyncio.sleep(0.01)  # nothing is left in it: a fresh process takes its place
    assert runtime.status().models == ()
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_cancel_while_the_model_loads(runtime: Runtime) -> None:
    await up(runtime)
    async with runtime.submit(speak(model="scripted-slow")) as job:
        await asyncio.sleep(0.3)
        job.cancel()
        assert [event async for event in job] == []
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_unload_of_a_model_that_is_not_here_fetches_nothing(runtime: Runtime, tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        assert await runtime.submit(Unload(model="scripted-nowhere")).collect() == []  # before the engine process is up
        await up(runtime)
        assert await runtime.submit(Unload(model="scripted")).collect() == []
    assert runtime.status().models == ()
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While it is there scripted-held does not arrive; it fails to when the file says "fail"."""
    file = tmp_path / "hold"
    file.touch()
    monkeypatch.setenv("SCRIPTED_HOLD", str(file))
    return file


def states(runtime: Runtime) -> dict[str, str]:
    return {model.name: model.state for model in runtime.status().models}


async def test_unload_stops_a_fetch_that_nobody_waits_for(hold: Path, runtime: Runtime) -> None:
    tries = hold.with_suffix(".tries")
    async with runtime.submit(speak(model="scripted-held")) as job:
        await until(tries.exists)
        with pytest.raises(Busy, match="in use"):
            await runtime.submit(Unload(model="scripted-held")).collect()
        job.cancel()
    assert states(runtime) == {"scripted-held": "fetching"}  # who gave up may ask again
    assert await runtime.submit(Unload(model="scripted-held")).collect() == []
    assert states(runtime) == {}
    again = asyncio.create_task(runtime.submit(speak("steps=1", model="scripted-held")).collect())
    await until(lambda: tries.read_text() == "xx")
    hold.unlink()
    assert len(await again) == 2


async def test_unload_while_a_model_loads_for_nobody(runtime: Runtime) -> None:
    await up(runtime)
    async with runtime.submit(speak(model="scripted-slow")):
        await until(lambda: states(runtime) == {"scripted-slow": "loading"})
    await until(lambda: runtime.status().jobs == 0)
    assert await runtime.submit(Unload(model="scripted-slow")).collect() == []
    await until(lambda: states(runtime) == {})


def preloading(model: str) -> Config:
    """A config whose two defaults are scripted, `model` one of them."""
    return Config(profile="scripted", preload=True, models={"tts": model, "asr": "scripted-asr"})


async def test_preload_loads_and_pins_every_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch, preloading("scripted")) as runtime:
        defaults = set(runtime.config.models.values())
        await until(lambda: {m.name for m in runtime.status().models if m.pinned} == defaults)
        assert set(states(runtime).values()) == {"loaded"}


async def test_preload_of_a_model_that_does_not_load_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(preloading("scripted-broken"), models={"tts": "scripted-broken"})
    async with running(tmp_path, monkeypatch, config) as runtime:
        await up(runtime)
        pid = runtime.status().pid
        await until(lambda: "scripted not to load" in caplog.text and not runtime.status().jobs)
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2  # in the same process, with no other load
        assert (runtime.status().pid, runtime.metrics.engine_restarts) == (pid, 0)
        assert caplog.text.count("scripted not to load") == 1


async def test_preload_tries_again_when_a_model_could_not_be_fetched(
    hold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("speechmlx.runtime.front.pinned.FIRST_RETRY", 0.1)
    hold.write_text("fail")
    async with running(tmp_path, monkeypatch, preloading("scripted-held")) as runtime:
        await until(lambda: "Trying again" in caplog.text)
        hold.unlink()
        await until(lambda: any(m.name == "scripted-held" and m.pinned for m in runtime.status().models))


async def test_idle_models_leave_and_a_fresh_process_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, Config(idle_unload=0.2)) as runtime:
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2
        pid = runtime.status().pid
        await until(lambda: runtime.status().pid != pid)
        assert states(runtime) == {}
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_without_work_the_process_ends_until_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, Config(engine_idle=0.3)) as runtime:
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2
        pid = runtime.status().pid
        await until(lambda: runtime.status().engine == "idle")
        await until(lambda: not psutil.pid_exists(pid))
        assert (states(runtime), runtime.metrics.engine_memory, runtime.metrics.engine_restarts) == ({}, 0, 0)
        first, second = (runtime.submit(speak("steps=1")) for _ in range(2))
        assert len(await first.collect()) == len(await second.collect()) == 2
        assert runtime.status().pid != pid


async def test_memory_limit_refuses_what_never_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch, Config(memory_limit=1_500_000)) as runtime:
        with pytest.raises(ModelUnavailable, match="needs 900 MB"):
            await runtime.submit(speak(model="scripted-big")).collect()
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2
        assert len(await runtime.submit(speak("steps=1", model="scripted-slow")).collect()) == 2
        await until(lambda: states(runtime) == {"scripted-slow": "loaded"})


async def test_drain_lets_jobs_finish_and_refuses_new_ones(runtime: Runtime) -> None:
    await runtime.submit(speak("steps=1")).collect()
    job = runtime.submit(speak("steps=5 work=0.02"))
    finishing = asyncio.create_task(job.collect())
    await asyncio.sleep(0.05)
    draining = asyncio.create_task(runtime.drain(10.0))
    await asyncio.sleep(0)
    with pytest.raises(Draining):
        runtime.submit(speak())
    assert len(await finishing) == 6
    await draining


async def test_drain_waits_for_no_download(hold: Path, runtime: Runtime) -> None:
    job = runtime.submit(speak(model="scripted-held"))
    await until(hold.with_suffix(".tries").exists)
    async with asyncio.timeout(30):
        await runtime.drain(10.0)
    with pytest.raises(Draining):
        await job.finished()


async def test_drain_ends_what_does_not_finish(runtime: Runtime) -> None:
    job = runtime.submit(speak("steps=1000 work=0.02"))
    await anext(job)
    await runtime.drain(0.1)
    with pytest.raises(Draining):
        await job.finished()


async def test_an_engine_process_that_cannot_start_fails_jobs_and_goes_on_trying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx/__init__.py").write_text("raise ImportError('no mlx today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with running(tmp_path, monkeypatch, Config()) as runtime:
        with pytest.raises(EngineLost, match="at start"):
            await runtime.submit(speak()).collect()
        shutil.rmtree(tmp_path / "mlx")
        await up(runtime)
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2
