"""The harness on the engines of this machine: speeds, pauses, moments, and what a test waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.scripted_conversation import RATE, tone, words

from speechmlx import AsyncSpeech
from speechmlx.audio.pcm import from_pcm16
from speechmlx.errors import BadRequest
from speechmlx.testing import TestHarness

RECORDING = (from_pcm16(tone(1.0, rate=RATE)), RATE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(scripted_environment: dict[str, str]) -> AsyncIterator[AsyncSpeech]:
    async with AsyncSpeech() as speech:
        yield speech


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_from_end_to_end(engines: AsyncSpeech) -> None:
    async with TestHarness(speech=engines) as live:
        await live.silence(0.4, speed=0)
        began = time.monotonic()
        await live.feed(RECORDING, speed=4.0, end=0.6)
        assert time.monotonic() - began >= 0.14
        state = await live.wait_for_text("two")
        assert state.text.startswith("one two") and not state.timing_errors
        await live.silence(6.0, speed=0)
        await live.feed(RECORDING, speed=0, start=0.5)
        state = await live.finish()
    assert state.committed_text == f"{words(0.6)} {words(0.5)}" and not state.tail
    assert state.wer(state.text.upper()) == 0.0 and state.fed == pytest.approx(7.5)
    assert [round(end - start) for start, end in state.silences()] == [6]
    assert live.history[-1].words == state.words and live.snapshot_at(0.3).words == ()
    assert 0 < len(live.snapshot_at(6.9).words) < len(state.words)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_does_not_come_is_told(engines: AsyncSpeech) -> None:
    async with TestHarness(speech=engines) as live:
        await live.feed(RECORDING, speed=0)
        with pytest.raises(TimeoutError, match=r"not within 0.2 s; heard: '.*', unsure: "):
            await live.wait_for_words(1000, timeout=0.2)
        assert (await live.drain(0.2)).text
        await live.pause(0.1, speed=10)
        await live.finish()
        with pytest.raises(TimeoutError, match=f"not before the stream ended; heard: '{words(1.0)}'"):
            await live.wait_for_speakers(1)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_that_is_cut(engines: AsyncSpeech) -> None:
    async with TestHarness(speech=engines) as live:
        await live.feed(RECORDING, speed=0)
        await live.wait_for_words(3)
        state = await live.cut()
        assert len(state.words) >= 3
        async with asyncio.timeout(5):
            assert (await live.drain()).words[:3] == state.words[:3]


async def test_wrong_use_is_named() -> None:
    with pytest.raises(BadRequest, match="a url or a speech"):
        TestHarness(url="http://x", speech=AsyncSpeech(profile="starter"))
    with pytest.raises(BadRequest, match="async with"):
        await TestHarness().finish()
