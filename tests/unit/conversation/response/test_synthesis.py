"""Silence between clauses: cut to what a speaker leaves, and no sound lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from speechmlx.conversation.response.synthesis import (
    AFTER_CLAUSE,
    AFTER_PHRASE,
    AFTER_SENTENCE,
    LEAD,
    paced,
    pause_after,
)
from speechmlx.types import Chunk

RATE = 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("It is late. ", AFTER_SENTENCE),
        ('"Is it?" ', AFTER_SENTENCE),
        ("今は遅い。", AFTER_SENTENCE),
        ("A list\n", AFTER_SENTENCE),
        ("It is late, ", AFTER_CLAUSE),
        ("It is late ", AFTER_PHRASE),
        ("", AFTER_PHRASE),
    ],
)
def test_the_pause_is_that_of_the_last_mark(text: str, seconds: float) -> None:
    assert pause_after(text) == seconds


async def after(samples: np.ndarray, size: int, pause: float = 0.25) -> np.ndarray:
    """What comes out when it comes in by `size` samples."""

    async def chunks() -> AsyncIterator[Chunk]:
        for start in range(0, len(samples), size):
            yield Chunk(samples[start : start + size].astype("<i2").tobytes(), RATE)

    out = [chunk async for chunk in paced(chunks(), pause)]
    assert all(chunk.pcm16 and chunk.rate == RATE for chunk in out)
    return np.frombuffer(b"".join(chunk.pcm16 for chunk in out), "<i2")


@pytest.mark.parametrize("size", [1, 70, 400, 5000])
async def test_only_the_edges_are_cut(size: int) -> None:
    sound = np.arange(1000, 1300)
    quiet = np.arange(700) % 100
    inside = np.concatenate([sound, quiet, sound])
    given = np.concatenate([quiet[:300], inside, quiet[:500]])
    lead = round(LEAD * RATE)
    expected = np.concatenate([quiet[300 - lead : 300], inside, quiet[:250]])
    assert np.array_equal(await after(given, size), expected)


async def test_a_short_edge_stays_and_silence_alone_is_whole() -> None:
    sound = np.full(100, -30000)
    assert np.array_equal(await after(sound, 30), sound)
    silence = np.zeros(2000)
    assert np.array_equal(await after(silence, 300), silence)
    assert not (await after(np.zeros(0), 1)).size


async def test_sound_is_not_held_back() -> None:
    asked = 0

    async def chunks() -> AsyncIterator[Chunk]:
        nonlocal asked
        for _ in range(3):
            asked += 1
            yield Chunk(np.full(50, 9000, "<i2").tobytes(), RATE)

    out = paced(chunks(), 0.1)
    await anext(out)
    assert asked == 1
    await out.aclose()
