"""When a server can do no more work: no engine process can run with the settings, or its files are gone."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from support.fake_supervisor import Front

from speechmlx.config import Config
from speechmlx.errors import BadRequest, EngineLost, ModelUnavailable, TemporaryFailure
from speechmlx.models.spec import Model
from speechmlx.runtime.front import refusal
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.front.weights import fetch
from speechmlx.runtime.ipc.messages import HeldModel, MemoryReport, Start
from speechmlx.types import Audio, Kind, Speak, Transcribe

MODEL = Model(name="m", kind=Kind.TTS, engine="none:load", sources=(), size=0, memory=0, rate=24000, licence="none")


async def test_without_the_gpu_of_the_settings_every_job_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = Front(Config(profile="test", cache=tmp_path, device="gpu"), monkeypatch)
    await front.runtime.start()
    assert front.engine.choice == "gpu" and front.runtime.refusal.reason is None
    waiting = front.runtime.submit(Speak(text="waits"))
    front.engine.refusal.give(BadRequest("no GPU; take --device auto"))
    front.engine.end("ended because there is no GPU")
    for job in (waiting, front.runtime.submit(Speak(text="comes later"))):
        with pytest.raises(EngineLost, match="no GPU"):
            await job.finished()
    with pytest.raises(EngineLost, match="no GPU; take --device auto"):
        await front.runtime.ready()
    await front.runtime.close()


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program takes for its Python."""
    file = tmp_path / "python"
    file.touch()
    monkeypatch.setattr(sys, "executable", str(file))
    return file


@pytest.mark.parametrize(
    ("environment", "then"),
    [({}, "it cannot go on; start it again"), ({"SYSTEMD_EXEC_PID": str(os.getpid())}, "and systemd starts it again")],
)
async def test_files_that_are_deleted_are_noticed_and_told_once(
    environment: dict[str, str],
    then: str,
    python: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("XPC_SERVICE_NAME", raising=False)
    monkeypatch.delenv("SYSTEMD_EXEC_PID", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(refusal, "PERIOD", 0.01)
    all_work = WorkRefusal()
    all_work.check()
    waiting = asyncio.create_task(all_work.wait())
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done and all_work.reason is None
    python.unlink()
    async with asyncio.timeout(30):
        await waiting
    with pytest.raises(EngineLost, match="files that this program runs from are gone, as after an upgrade") as told:
        all_work.check()
    assert isinstance(all_work.reason, TemporaryFailure) and str(all_work.reason).endswith(then)
    assert str(python) not in str(told.value) and not told.value.ran
    assert caplog.messages == [f"{all_work.reason} ({python})"]


async def test_the_first_reason_counts_and_is_heard_at_once(python: Path) -> None:
    all_work = WorkRefusal()
    waiting = asyncio.create_task(all_work.wait())
    await asyncio.sleep(0)
    all_work.give(BadRequest("no GPU"))
    async with asyncio.timeout(30):
        await waiting
    python.unlink()
    with pytest.raises(EngineLost, match="no GPU"):
        all_work.check()


async def test_no_model_is_loaded_after_the_files_are_gone(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its modules would not be found. What is in memory works on until the server ends."""
    front = Front(Config(profile="test", cache=tmp_path), monkeypatch)
    await front.runtime.start()
    front.engine.come_up()
    front.runtime.submit(Speak(text="before"))
    front.engine.say(MemoryReport((HeldModel("tts-row", "loaded", 5, False),)))
    python.unlink()
    front.runtime.submit(Speak(text="goes on"))
    with pytest.raises(EngineLost, match="as after an upgrade"):
        await front.runtime.submit(Transcribe(audio=Audio(np.zeros(1600, np.float32), 16000))).finished()
    assert [sent.request.kind for sent in front.engine.sent if isinstance(sent, Start)] == [Kind.TTS, Kind.TTS]
    await front.runtime.close()


def test_a_program_without_a_python_of_its_own_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    WorkRefusal().check()


async def test_a_fetch_that_does_not_start_is_one_line(python: Path) -> None:
    python.unlink()
    with pytest.raises(ModelUnavailable, match=r"the process that fetches 'm' does not start: .*No such file"):
        await fetch(MODEL, Path("/cache"), lambda progress: None)


def test_a_disk_that_does_not_answer_says_nothing(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    front = WorkRefusal()

    def stat(file: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "stat", stat)
    front.look()
    assert front.reason is None
