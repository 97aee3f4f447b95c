"""The harness on the engines of this machine."""

from __future__ import annotations

import pytest
from support.scripted_conversation import RATE, tone, words

from speechmlx.audio.pcm import from_pcm16
from speechmlx.testing import TestHarness

RECORDING = (from_pcm16(tone(1.0, rate=RATE)), RATE)


async def test_a_stream_from_end_to_end() -> None:
    async with TestHarness(language="en") as live:
        await live.silence(0.4, speed=0)
        await live.feed(RECORDING, speed=8, end=0.6)
        state = await live.wait_for_text("two")
        assert state.text.startswith("one two") and not state.timing_errors
        await live.silence(6.0, speed=0)
        await live.feed(RECORDING, speed=0, start=0.5)
        state = await live.finish()
    assert state.committed_text == f"{words(0.6)} {words(0.5)}" and state.fed == pytest.approx(7.5)
    assert [round(end - start) for start, end in state.silences()] == [6]
