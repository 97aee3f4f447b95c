"""The runtime with a fake supervisor: when the engine process ends for want of work, and what keeps a Mac awake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from support.fake_supervisor import Front

from speechmlx.config import Config
from speechmlx.types import Audio, Listen, Speak, Transcribe


async def turns() -> None:
    """Let every other task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    config = Config(profile="test", cache=tmp_path, memory_limit=1000, engine_idle=60.0, step_timeout=0.0)
    front = Front(config, monkeypatch)
    await front.runtime.start()
    yield front
    await front.runtime.close()


async def test_the_engine_process_ends_only_where_nothing_wants_it(front: Front) -> None:
    def checks() -> None:
        for _ in range(10):
            front.runtime._idle.check()

    checks()
    assert front.engine.state == "starting"
    front.engine.come_up()
    job = front.runtime.submit(Speak(text="hello"))
    checks()
    assert front.engine.state == "ok"
    front.end(job.id)
    front.runtime._pinned.names.add("tts-row")
    checks()
    assert front.engine.state == "ok"
    front.runtime._pinned.names.clear()
    checks()
    assert front.runtime.status().engine == "idle"
    later = front.runtime.submit(Speak(text="again"))
    await turns()
    assert front.runtime.status().engine == "starting" and not later.started
    front.engine.come_up()
    await turns()
    assert later.started


async def test_the_machine_stays_awake_for_jobs_but_not_for_live_sessions(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.engine.come_up()
    told: list[bool] = []
    monkeypatch.setattr(front.runtime._sleep_guard, "update", told.append)
    live = front.runtime.submit(Listen(model="asr-row"))
    job = front.runtime.submit(Transcribe(model="asr-row", audio=Audio(np.zeros(160, np.float32), 16000)))
    front.end(job.id)
    front.end(live.id)
    assert told == [False, True, False, False]
