"""The guard against sleep, with a program that writes down how it was called and waits as caffeinate does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from speechmlx.runtime.front.sleep_guard import SleepGuard, caffeinate


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("LD_PRELOAD", raising=False)  # a shell with the threads of a BLAS may hang when it forks
    file = tmp_path / "caffeinate"
    file.write_text(
        f'#!/bin/sh\ntrap \'echo ended >>"{tmp_path}/calls"; exit\' TERM\necho "$*" >>"{tmp_path}/calls"\n'
        "while :; do sleep 0.02; done\n"
    )
    file.chmod(0o755)
    return str(file)


async def test_it_holds_while_there_is_work_and_for_this_process_alone(program: str, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    guard = SleepGuard(program, delay=0.01)
    guard.update(True)
    await until(calls.exists)
    guard.update(True)
    guard.update(False)
    await until(lambda: "ended" in calls.read_text())
    assert calls.read_text() == f"-i -w {os.getpid()}\nended\n"
    guard.update(True)
    await until(lambda: calls.read_text().count("-i -w") == 2)
    guard.update(False)
    await until(lambda: calls.read_text().count("ended") == 2)


async def test_short_work_starts_nothing(program: str, tmp_path: Path) -> None:
    guard = SleepGuard(program, delay=0.02)
    guard.update(True)
    guard.update(False)
    await asyncio.sleep(0.1)
    assert not (tmp_path / "calls").exists()


async def test_a_program_that_does_not_start_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    guard = SleepGuard(str(tmp_path / "none"), delay=0)
    guard.update(True)
    await until(lambda: "may go to sleep during work" in caplog.text)
    guard.update(False)


def test_only_macos_has_it() -> None:
    assert (caffeinate() is not None) == (sys.platform == "darwin")
    SleepGuard(None).update(True)  # without an event loop: nothing is done
