"""The way back from a hang, from damaged weights and from models that are deleted, with a real engine process."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from support.scripted_runtime import running, speak, until

from speechmlx.config import Config
from speechmlx.errors import Busy, EngineFailed, EngineLost, OutOfMemory, WeightsDamaged
from speechmlx.models import store
from speechmlx.runtime.front.hang_watch import CHECKS
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Enhance, Feed, Unload


@pytest.fixture
async def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    async with running(tmp_path, monkeypatch, Config(max_jobs=64)) as started:
        yield started


async def test_a_step_that_never_ends_is_noticed_and_the_next_job_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, Config(step_timeout=1.2)) as runtime:
        jobs = [runtime.submit(speak("steps=1000 work=0.02")) for _ in range(2)]
        assert all([isinstance(await anext(job), Chunk) for job in jobs])
        os.kill(runtime.status().pid, signal.SIGSTOP)
        async with asyncio.timeout(10):
            for job in jobs:
                with pytest.raises(EngineLost, match=r"ended no step for 1\.2 s and was killed"):
                    await job.finished()
        assert (runtime.status().engine, runtime.metrics.engine_hangs) == ("degraded", 1)
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2


async def test_when_the_gpu_fails_its_job_is_told_and_a_fresh_process_serves_the_others(runtime: Runtime) -> None:
    beside = runtime.submit(speak("steps=1000 work=0.02"))
    assert isinstance(await anext(beside), Chunk)
    before = runtime.status().pid
    with pytest.raises(EngineFailed, match=r"failed: RuntimeError: \[METAL\] Command buffer execution failed"):
        await runtime.submit(speak("gpu=0")).finished()
    with pytest.raises(EngineLost, match="the engine process ended because the GPU failed while this ran"):
        await beside.finished()
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2
    assert runtime.status().pid != before


async def test_live_input_that_pauses_and_a_slow_load_are_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, Config(step_timeout=0.5)) as runtime:
        async with runtime.submit(Enhance(model="scripted-enhance")) as job:
            assert len(await runtime.submit(speak("steps=1", model="scripted-slow")).collect()) == 2  # loads for 1 s
            await job.send(Feed(np.zeros(100, np.float32)))
            assert isinstance(await anext(job), Chunk)
        assert runtime.metrics.engine_hangs == 0


async def test_a_slice_of_a_load_that_takes_longer_than_a_step_may_is_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv("SCRIPTED_HOLD", str(hold))
    async with running(tmp_path, monkeypatch, Config(step_timeout=1.2)) as runtime:
        job = runtime.submit(speak("steps=1", model="scripted-stuck"))
        await until(lambda: [model.state for model in runtime.status().models] == ["loading"])
        await until(lambda: runtime._watch._silence.checks > CHECKS)
        hold.unlink()
        assert len(await job.collect()) == 2
        assert runtime.metrics.engine_hangs == 0


async def test_weights_that_change_on_the_disk_are_set_aside_and_fetched_again(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row, cache = runtime.catalog.resolve("scripted"), tmp_path / "cache"
    config = store.fetch(row, cache) / "config.json"
    config.write_text("[]")
    results = await asyncio.gather(*(runtime.submit(speak("steps=1")).collect() for _ in range(3)))
    assert [len(events) for events in results] == [2] * 3
    assert (config.read_text(), (cache / "damaged/scripted/config.json").read_text()) == ("{}", "[]")
    assert caplog.text.count("the weights of scripted are damaged: config.json is not as it was fetched") == 1


async def test_weights_that_the_engine_refuses_are_fetched_again_once(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for times in (1, 2):
        jobs = [runtime.submit(speak("steps=1", model="scripted-damaged")) for _ in range(2)]
        for job in jobs:
            again = "they are fetched again: try again later" if times == 1 else "scripted not to be finite$"
            with pytest.raises(WeightsDamaged, match=again):
                await job.finished()
        await until(lambda: not runtime.status().models)
    assert caplog.text.count("the weights of scripted-damaged are damaged: ") == 1
    assert (tmp_path / "cache/damaged/scripted-damaged").exists()


async def test_a_model_in_memory_is_neither_removed_nor_missed(runtime: Runtime, tmp_path: Path) -> None:
    row, cache = runtime.catalog.resolve("scripted"), tmp_path / "cache"
    await runtime.submit(speak("steps=1")).collect()
    with pytest.raises(Busy, match="scripted is in use by a server"):
        store.remove(row, cache)
    shutil.rmtree(cache / "models")  # by hand: what is in memory still answers
    pid = runtime.status().pid
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2
    assert not (cache / "models").exists()
    await runtime.submit(Unload(model="scripted")).collect()
    await until(lambda: runtime.status().pid != pid)
    assert len(await runtime.submit(speak("steps=1")).collect()) == 2
    await runtime.submit(Unload(model="scripted")).collect()
    assert store.remove(row, cache) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process that runs")
async def test_out_of_memory_ends_the_job_with_the_numbers(runtime: Runtime) -> None:
    await runtime.submit(speak("steps=1")).collect()
    pid = runtime.status().pid
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size + 100_000_000,) * 2)
    async with asyncio.timeout(10):
        with pytest.raises(
            OutOfMemory, match=r"out of memory for the model scripted .*: MLX holds \d+ MB, the models"
        ) as no:
            await runtime.submit(speak("steps=1 take=900000000")).collect()
        assert no.value.retry_after
        assert len(await runtime.submit(speak("steps=1")).collect()) == 2
    assert runtime.status().pid == pid
