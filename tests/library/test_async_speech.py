"""`AsyncSpeech`: calls side by side on one event loop, and sessions that close with it."""

from __future__ import annotations

import asyncio

import pytest
from support.scripted_conversation import RATE, tone, words

from speechmlx import AsyncSpeech
from speechmlx.audio.pcm import from_pcm16
from speechmlx.errors import BadRequest, Draining
from speechmlx.types import Chunk

RECORDING = (from_pcm16(tone(0.5, rate=RATE)), RATE)


async def test_calls_sessions_and_the_end() -> None:
    async with AsyncSpeech() as speech:
        spoken, heard = await asyncio.gather(speech.speak("One two."), speech.transcribe(RECORDING))
        assert spoken.duration == pytest.approx(0.2) and heard.text == words(0.5)
        chunks = [chunk async for chunk in speech.speak("One two three.")]
        assert len(chunks) == 3 and isinstance(chunks[0], Chunk)
        async with speech.transcribe(RECORDING, model="scripted-asr", prompt="steps=100000 work=0.001") as segments:
            async for segment in segments:
                assert segment.text == " part 0."
                break
        assert (await segments).text.startswith("part 0.")
        async with speech.listen() as live:
            await live.feed(*RECORDING)
            await live.finish()
            found = [word.text.strip() async for hypothesis in live for word in hypothesis.committed]
        assert " ".join(found) == words(0.5)
        other: list[BaseException] = []

        def in_another_loop() -> None:
            try:
                asyncio.run(_spoken(speech))
            except BadRequest as error:
                other.append(error)

        await asyncio.to_thread(in_another_loop)
        assert "another event loop" in str(other[0])
        talk = speech.converse()
        await talk.__aenter__()
    assert [event async for event in talk] == []
    with pytest.raises(Draining, match="closed"):
        await speech.speak("One.")


async def _spoken(speech: AsyncSpeech) -> None:
    await speech.speak("One.")
