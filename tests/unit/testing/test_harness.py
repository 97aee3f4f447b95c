"""The harness: speeds, pauses, moments, and what a test waits for, on scripted models."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from support.scripted_input import RATE, ScriptedInput, speech

from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.library.async_speech import AsyncSpeech
from speechmlx.library.listening import AsyncListening
from speechmlx.testing import TestHarness
from speechmlx.types import Kind

RECORDING = (speech(2.0), RATE)


class ScriptedSpeech(AsyncSpeech):
    """Listens with scripted models."""

    def __init__(self, live: bool = True) -> None:
        self.engines = ScriptedInput(live)

    def listen(self, **options: Any) -> AsyncListening:
        async def open_session() -> tuple[TranscriptionSession, float]:
            settings = Settings(transcribes_only=True, transcription=Transcription(words=True))
            return TranscriptionSession(self.engines, settings), 0.0

        return AsyncListening(open_session, lambda live: None)


@asynccontextmanager
async def harness(speech: ScriptedSpeech | None = None) -> AsyncIterator[TestHarness]:
    async with asyncio.timeout(20), TestHarness(speech=speech or ScriptedSpeech()) as live:
        yield live


async def test_a_stream_from_end_to_end() -> None:
    async with harness() as live:
        await live.silence(1.0, speed=0)
        began = time.monotonic()
        await live.feed(RECORDING, speed=10)
        assert time.monotonic() - began >= 0.19
        state = await live.wait_for_text("W2")
        assert state.text.startswith("w1 w2") and state.fed == pytest.approx(3.0)
        await live.silence(8.0, speed=0)
        await live.feed(RECORDING, speed=0, start=1.0, end=1.5)
        state = await live.finish()
        assert state.words == live.state.words == live.history[-1].words
    assert state.committed_text.startswith("w1 w2 w3 w4") and not state.tail and not state.timing_errors
    assert state.wer(state.text.upper()) == 0.0 and state.fed == pytest.approx(11.5)
    ((start, end),) = state.silences()
    assert 7.0 <= end - start <= 8.0
    assert live.snapshot_at(0.5).words == () and live.snapshot_at(0.5).fed == 0.5
    assert 2 <= len(live.snapshot_at(10.0).words) < len(state.words)


async def test_what_does_not_come_is_told() -> None:
    async with harness() as live:
        await live.feed(RECORDING, speed=0)
        await live.wait_for_words(2)
        with pytest.raises(TimeoutError, match=r"not within 0.05 s; heard: 'w1.*', unsure: "):
            await live.wait_for_words(1000, timeout=0.05)
        assert (await live.drain(0.05)).text.startswith("w1")
        await live.pause(0.1, speed=10)
        await live.pause(60, speed=0)
        await live.finish()
        with pytest.raises(TimeoutError, match="not before the stream ended; heard: 'w1 w2 w3 w4"):
            await live.wait_for_speakers(1)


async def test_an_error_of_the_stream_reaches_who_waits() -> None:
    broken = ScriptedSpeech(live=False)
    broken.engines.fails[Kind.ASR] = EngineFailed("broken")
    async with harness(broken) as live:
        await live.feed(RECORDING, speed=0)
        await live.silence(2.0, speed=0)
        for waits in (live.wait_for_text("x"), live.drain(0.1), live.feed(RECORDING)):
            with pytest.raises(EngineFailed, match="broken"):
                await waits


async def test_a_stream_that_is_cut() -> None:
    async with harness() as live:
        await live.feed(RECORDING, speed=0)
        await live.wait_for_words(2)
        state = await live.cut()
        assert (await live.drain()).words[:2] == state.words[:2]


async def test_wrong_use_is_named() -> None:
    with pytest.raises(BadRequest, match="a url or a speech"):
        TestHarness(url="http://x", speech=ScriptedSpeech())
    with pytest.raises(BadRequest, match="async with"):
        await TestHarness().finish()
    async with harness() as live:
        with pytest.raises(BadRequest, match=r"speed must be 0 or more and chunk more than 0, not -1 and 0.1"):
            await live.feed((np.zeros(9, np.float32), RATE), speed=-1)
