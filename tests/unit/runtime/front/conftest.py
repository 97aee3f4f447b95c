"""A runtime whose engine process is a script: not up yet (`front`), and up (`up`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fake_supervisor import Front

from speechmlx.config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(profile="test", cache=tmp_path, max_jobs=2, memory_limit=1000)


@pytest.fixture
async def front(config: Config, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    front = Front(config, monkeypatch)
    await front.runtime.start()
    yield front
    await front.runtime.close()
    assert front.engine.state == "stopped"


@pytest.fixture
def up(front: Front) -> Front:
    front.engine.come_up()
    return front
