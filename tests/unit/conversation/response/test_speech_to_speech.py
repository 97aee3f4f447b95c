"""A spoken question goes to the speech-to-speech model, a written one to the cascade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import numpy as np
import pytest
from support.fake_engines import FakeEngines, row

from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.response.answer import Answer, ClauseEnded, ClauseStarted, Piece, ResponseInput
from speechmlx.conversation.response.speech_to_speech import SpeechToSpeech
from speechmlx.conversation.settings import Answering, VoiceSettings
from speechmlx.errors import UnknownVoice
from speechmlx.models.voices import VoiceList
from speechmlx.types import Chunk, Kind, NamedVoice, Priority, Respond, TextDelta, Usage

SOUND = Chunk(bytes(4800), 24000)
ASKED = Item(id="a", parts=(Part("audio", None, bytes(16000), 16000, 0.5),))
WRITTEN = Item(id="b", parts=(Part("text", "Hello"),))


class Cascade:
    """The responder for written questions."""

    kinds = (Kind.LLM, Kind.TTS)
    closed = False

    def respond(self, input: ResponseInput) -> Answer:
        async def pieces() -> AsyncGenerator[Piece, None]:
            yield TextDelta("from the cascade")

        return Answer(pieces(), 7.0)

    async def close(self) -> None:
        self.closed = True


def responder(*events: object) -> tuple[SpeechToSpeech, FakeEngines]:
    rows = [row(Kind.S2S, voices=VoiceList(("natf2",)))]
    engines = FakeEngines(lambda request: events, rows)  # type: ignore[arg-type,return-value]
    return SpeechToSpeech(engines, Cascade()), engines  # type: ignore[arg-type]


async def test_a_spoken_question() -> None:
    usage = Usage(tokens_out=7)
    made, engines = responder(SOUND, TextDelta("One. "), SOUND, SOUND, TextDelta("Two."), SOUND, usage)
    answering = Answering(instructions="Be kind.", voice=VoiceSettings(name="NATF2", language="en"))
    assert not made.needs_transcripts((WRITTEN, ASKED))
    found = made.respond(ResponseInput((WRITTEN, ASKED), answering))
    assert found.audio_in == 0.5
    assert [piece async for piece in found.pieces] == [
        ClauseStarted(""), SOUND, TextDelta("One. "), ClauseEnded(), ClauseStarted("One. "), SOUND, SOUND,
        TextDelta("Two."), ClauseEnded(), ClauseStarted("Two."), SOUND, usage, ClauseEnded(),
    ]  # fmt: skip
    (request,) = engines.requests(Respond)
    assert (request.audio.rate, len(request.audio.samples)) == (24000, 12000)
    assert np.array_equal(request.audio.samples, np.zeros(12000))
    assert replace(request, audio=None) == Respond(
        audio=None,  # type: ignore[arg-type]
        voice=NamedVoice("natf2"),
        language="en",
        instructions="Be kind.",
        priority=Priority.REALTIME,
    )


async def test_a_spoken_question_that_is_answered_in_text() -> None:
    made, _ = responder(TextDelta("One. "), SOUND)
    found = made.respond(ResponseInput((ASKED,), Answering(spoken=False)))
    assert [piece async for piece in found.pieces] == [TextDelta("One. ")]


async def test_a_voice_that_it_does_not_have() -> None:
    made, engines = responder()
    found = made.respond(ResponseInput((ASKED,), Answering(voice=VoiceSettings(name="nobody"))))
    with pytest.raises(UnknownVoice, match="no voice 'nobody'"):
        await anext(found.pieces)
    assert not engines.jobs


@pytest.mark.parametrize("items", [(), (WRITTEN,), (ASKED, WRITTEN)])
async def test_any_other_question_is_the_cascades(items: tuple[Item, ...]) -> None:
    made, engines = responder()
    assert made.needs_transcripts(items)
    found = made.respond(ResponseInput(items, Answering()))
    assert found.audio_in == 7.0
    assert [piece async for piece in found.pieces] == [TextDelta("from the cascade")]
    assert not engines.jobs


async def test_nothing_is_begun_ahead() -> None:
    made, engines = responder()
    waiting = asyncio.get_running_loop().create_future()
    made.read_ahead(ResponseInput((), Answering()))
    made.draft(waiting, lambda: ResponseInput((), Answering()))
    made.drop_draft()
    await asyncio.sleep(0)
    assert not engines.jobs
    await made.close()
