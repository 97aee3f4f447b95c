"""A Runtime with a real engine process and the scripted engines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support import scripted

from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Speak


@asynccontextmanager
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Config) -> AsyncIterator[Runtime]:
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.scripted:extend")
    catalog = scripted.extend(CATALOG)
    catalog = replace(catalog, profiles={**catalog.profiles, "scripted": {}})
    runtime = Runtime(replace(config, cache=tmp_path / "cache"), catalog)
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.close()
    with pytest.raises(ProcessLookupError):
        os.kill(runtime.status().pid, 0)


def speak(script: str = "", model: str = "scripted") -> Speak:
    return Speak(text=script, model=model)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
