"""A model that hears and speaks at once, with small random weights, in a real engine process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from support import moshi_row, tiny_moshi

from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Audio, Chunk, Converse, Event, Respond, Usage

FRAME, RATE = 1920, 24000
TESTS = str(Path(__file__).parents[1])


@pytest.fixture
async def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    tiny_moshi.folder(tmp_path / "made", 16)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TINY_MOSHI", str(tmp_path / "made/folder"))
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.moshi_row:extend")
    runtime = Runtime(Config(cache=tmp_path / "cache"), moshi_row.extend(CATALOG))
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.close()


async def spoken(frames: int) -> AsyncIterator[np.ndarray]:
    """Noise in pieces that are no frames."""
    sound = 0.1 * np.random.RandomState(frames).standard_normal(frames * FRAME).astype(np.float32)
    for start in range(0, len(sound), 1000):
        yield sound[start : start + 1000]


async def test_live_conversations_and_a_question_are_answered_beside_each_other(runtime: Runtime) -> None:
    async def live(frames: int) -> list[Event]:
        return await runtime.submit(Converse(model="tiny-s2s")).fed_by(spoken(frames)).collect()

    question = Respond(model="tiny-s2s", audio=Audio(np.zeros(2 * FRAME, np.float32), RATE), max_steps=4)
    async with asyncio.timeout(100):
        found = await asyncio.gather(live(5), live(9), runtime.submit(question).collect())
    for events, frames in zip(found[:2], (5, 9), strict=True):
        assert sum(isinstance(event, Chunk) for event in events) == frames
        usage = events[-1]
        assert isinstance(usage, Usage) and usage.audio_in == pytest.approx(frames * 0.08)
    assert sum(isinstance(event, Chunk) for event in found[2]) >= 4


async def test_a_person_who_leaves_ends_the_conversation(runtime: Runtime) -> None:
    async def endless() -> AsyncIterator[np.ndarray]:
        while True:
            yield np.zeros(FRAME, np.float32)
            await asyncio.sleep(0.01)

    async with asyncio.timeout(100):
        async with runtime.submit(Converse(model="tiny-s2s")).fed_by(endless()) as job:
            async for event in job:
                if isinstance(event, Chunk):
                    break
        events = await runtime.submit(Converse(model="tiny-s2s")).fed_by(spoken(2)).collect()
    assert sum(isinstance(event, Chunk) for event in events) == 2
    assert not runtime.status().jobs
