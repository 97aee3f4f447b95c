"""The runtime where no engine process can run with the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_supervisor import Front

from speechmlx.config import Config
from speechmlx.errors import EngineLost
from speechmlx.types import Speak


async def test_without_the_gpu_of_the_settings_every_job_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = Front(Config(profile="test", cache=tmp_path, device="gpu"), monkeypatch)
    await front.runtime.start()
    assert front.engine.choice == "gpu" and front.runtime.refusal == ""
    waiting = front.runtime.submit(Speak(text="waits"))
    front.engine.refusal = "no GPU; take --device auto"
    front.engine.end("ended because there is no GPU")
    for job in (waiting, front.runtime.submit(Speak(text="comes later"))):
        with pytest.raises(EngineLost, match="no GPU"):
            await job.finished()
    with pytest.raises(EngineLost, match="no GPU; take --device auto"):
        await front.runtime.ready()
    assert front.runtime.refusal == front.engine.refusal
    await front.runtime.close()
