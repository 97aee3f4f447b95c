"""The harness of speechmlx.testing over a server's wire."""

from __future__ import annotations

import pytest
from protocols.conftest import Server
from support.scripted_conversation import RATE, tone, words

from speechmlx.audio.pcm import from_pcm16
from speechmlx.errors import SpeechError
from speechmlx.testing import TestHarness

RECORDING = (from_pcm16(tone(0.5, rate=RATE)), RATE)


async def test_the_same_over_a_server_s_wire(listening: Server) -> None:
    async with TestHarness(url=listening.url, language="en") as live:
        await live.feed(RECORDING, speed=2)
        await live.silence(1.0, speed=0)
        state = await live.wait_for_words(4)
        assert state.committed_text.startswith("one two three four")
        await live.feed(RECORDING, speed=0, end=0.3)
        state = await live.finish()
    assert state.committed_text == f"{words(0.5)} {words(0.3)}" and not state.timing_errors


async def test_a_server_that_refuses_says_why(listening: Server) -> None:
    with pytest.raises(SpeechError, match=r"takes no connection.*HTTP 400"):
        async with TestHarness(url=listening.url, language="klingon"):
            pass
