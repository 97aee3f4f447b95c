"""Fetches without a process: what its lines mean, who shares a fetch, how it is stopped."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from speechmlx.errors import ModelUnavailable, NoRoom, SpeechError
from speechmlx.models.spec import Model
from speechmlx.runtime.front import weights
from speechmlx.runtime.front.weights import Fetches, fetch
from speechmlx.types import Kind, Progress

MODEL = Model(name="m", kind=Kind.TTS, engine="none:load", sources=(), size=0, memory=0, rate=24000, licence="none")
PROGRESS = {"stage": "fetch", "done": 1, "total": 2}


class Process:
    """Stands for a fetch process: it prints `lines`, then ends with `status`, or never when that is None."""

    def __init__(self, lines: list[dict[str, Any]], status: int | None = 0, stubborn: bool = False) -> None:
        self.lines = lines
        self.status = status
        self.stubborn = stubborn
        self.returncode: int | None = None
        self.calls: list[str] = []
        self.stdout = self._lines()
        self.stdin = self
        self.ended = asyncio.Event()

    async def _lines(self) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield json.dumps(line).encode() + b"\n"
        if self.status is None:
            await self.ended.wait()

    def close(self) -> None:
        self.calls.append("close")
        if not self.stubborn:
            self.ended.set()

    def kill(self) -> None:
        self.calls.append("kill")
        self.ended.set()

    async def wait(self) -> int:
        if self.status is None:
            await self.ended.wait()
        self.returncode = self.status or 0
        return self.returncode


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Processes that the next fetches start."""
    waiting: list[Process] = []

    async def spawn(*command: str, **options: object) -> Process:
        return waiting.pop(0)

    monkeypatch.setattr("speechmlx.runtime.front.weights.asyncio.create_subprocess_exec", spawn)
    return waiting


async def test_the_folder_and_the_progress_before_it(spawned: list[Process]) -> None:
    seen: list[Progress] = []
    spawned.append(Process([PROGRESS, {**PROGRESS, "done": 2, "detail": "weights"}, {"folder": "/cache/m"}]))
    assert await fetch(MODEL, Path("/cache"), seen.append) == "/cache/m"
    assert seen == [Progress("fetch", 1, 2), Progress("fetch", 2, 2, "weights")]


@pytest.mark.parametrize(
    ("lines", "status", "error", "text"),
    [
        ([{"error": "no_room", "message": "the disk is full"}], 1, NoRoom, "the disk is full"),
        ([PROGRESS, {"error": "model_unavailable", "message": "no network"}], 1, ModelUnavailable, "no network"),
        ([PROGRESS], 9, ModelUnavailable, "fetching 'm' ended with status 9"),
    ],
)
async def test_a_fetch_that_fails(
    lines: list[dict[str, Any]], status: int, error: type[SpeechError], text: str, spawned: list[Process]
) -> None:
    spawned.append(Process(lines, status))
    with pytest.raises(error, match=text):
        await fetch(MODEL, Path("/cache"), lambda progress: None)


@pytest.mark.parametrize(("stubborn", "calls"), [(False, ["close"]), (True, ["close", "kill"])])
async def test_a_cancelled_fetch_ends_its_process(
    stubborn: bool, calls: list[str], spawned: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PATIENCE", 0.0 if stubborn else 5.0)
    spawned.append(process := Process([PROGRESS], None, stubborn))
    begun = asyncio.Event()
    task = asyncio.create_task(fetch(MODEL, Path("/cache"), lambda progress: begun.set()))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and process.calls == calls


async def test_a_process_that_ends_while_the_server_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop then sees its end and that it took too long in one turn; the fetch was good."""
    lines = "\n".join(json.dumps(line) for line in (PROGRESS, {"folder": "/cache/m"}))
    script = f"import time; print({lines!r}, flush=True); time.sleep(0.3)"
    spawn = asyncio.create_subprocess_exec

    async def instead(*command: str, **options: Any) -> asyncio.subprocess.Process:
        return await spawn(sys.executable, "-c", script, **options)

    monkeypatch.setattr("speechmlx.runtime.front.weights.asyncio.create_subprocess_exec", instead)
    monkeypatch.setattr(weights, "PATIENCE", 0.2)

    def stall(progress: Progress) -> None:
        asyncio.get_running_loop().call_later(0.1, time.sleep, 0.8)

    assert await fetch(MODEL, Path("/cache"), stall) == "/cache/m"


async def test_jobs_share_the_fetch_of_a_model_and_see_its_progress(spawned: list[Process]) -> None:
    seen: list[tuple[Model, Progress]] = []
    fetches = Fetches(Path("/cache"), lambda model, progress: seen.append((model, progress)))
    spawned.append(Process([PROGRESS, {"folder": "/cache/m"}]))
    task = fetches.start(MODEL)
    assert fetches.start(MODEL) is task
    assert list(fetches.running) == ["m"]
    assert await task == "/cache/m"
    await asyncio.sleep(0)
    assert seen == [(MODEL, Progress("fetch", 1, 2))]
    assert (fetches.running, fetches.progress) == ({}, {})


@pytest.mark.parametrize("by", ["stop", "close"])
async def test_a_stopped_fetch_is_forgotten_at_once(
    by: str, spawned: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    begun = asyncio.Event()
    fetches = Fetches(Path("/cache"), lambda model, progress: begun.set())
    spawned.append(process := Process([PROGRESS], None))
    task = fetches.start(MODEL)
    await begun.wait()
    assert fetches.progress == {"m": Progress("fetch", 1, 2)}
    if by == "stop":
        fetches.stop("m")
        fetches.stop("other")
        assert (fetches.running, fetches.progress) == ({}, {})
    await fetches.close()
    assert task.cancelled() and process.calls == ["close"]
    assert "fetching m was stopped; what came so far is kept" in caplog.messages


async def test_a_failed_fetch_is_logged_and_the_next_job_begins_another(
    spawned: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    fetches = Fetches(Path("/cache"), lambda model, progress: None)
    spawned += [Process([], 9), Process([{"folder": "/cache/m"}])]
    with pytest.raises(ModelUnavailable):
        await fetches.start(MODEL)
    await asyncio.sleep(0)
    assert caplog.messages[0].startswith("fetching m failed: ")
    assert await fetches.start(MODEL) == "/cache/m"


async def test_a_process_that_ends_when_patience_does_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended, but its end has not been told yet: there is nothing to kill."""
    monkeypatch.setattr(weights, "PATIENCE", 0.0)
    process = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE)
    transport = process._transport  # type: ignore[attr-defined]
    killed = []

    def kill() -> None:
        killed.append(True)
        raise ProcessLookupError

    monkeypatch.setattr(transport, "kill", kill)
    await asyncio.wait_for(weights._end(process), 10)
    assert killed and process.returncode == 0


async def test_a_pull_waits_for_the_fetch_under_way_and_tells_its_end(spawned: list[Process], tmp_path: Path) -> None:
    fetches = Fetches(tmp_path, lambda model, progress: None)
    spawned.append(Process([PROGRESS, {"folder": "/cache/m"}]))
    task = fetches.start(MODEL)
    assert await fetches.pull(MODEL) and task.done()
    spawned.append(Process([{"error": "no_room", "message": "the disk is full"}], 1))
    with pytest.raises(NoRoom, match="the disk is full"):
        await fetches.pull(MODEL)


async def test_a_pull_that_is_stopped_says_so_and_one_that_is_cancelled_stops_nothing(
    spawned: list[Process], tmp_path: Path
) -> None:
    fetches = Fetches(tmp_path, lambda model, progress: None)
    spawned.append(Process([PROGRESS], None))
    pulls = [asyncio.create_task(fetches.pull(MODEL)) for _ in range(2)]
    while "m" not in fetches.progress:
        await asyncio.sleep(0.01)
    pulls[0].cancel()
    await asyncio.gather(pulls[0], return_exceptions=True)
    assert "m" in fetches.running
    fetches.stop("m")
    assert await pulls[1] is False


async def test_a_pull_of_what_is_here_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.models.store.folder", lambda row, cache: cache / row.name)
    fetches = Fetches(tmp_path, lambda model, progress: None)
    assert await fetches.pull(MODEL) and not fetches.running
