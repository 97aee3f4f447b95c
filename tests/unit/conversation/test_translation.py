"""Translations of turns: by the recogniser or by a language model, in order, bounded, and as events of a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeEngines, Step, row
from support.scripted_input import ScriptedInput, silence, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.conversation.translation import MAX_WAITING, TranslationRequest, TurnTranslator, can_translate
from speechmlx.errors import Busy, EngineFailed
from speechmlx.types import Audio, Event, Generate, Kind, Segment, TextDelta, Transcribe, Usage

AUDIO = Audio(np.zeros(16000, np.float32), 16000)
GERMAN = Transcript("Guten Tag", language="de")
MULTILINGUAL = row(Kind.ASR, rate=16000, languages=("en", "de"))
MODEL = row(Kind.LLM)


class Elsewhere:
    """A language model that writes the text in capital letters; longer texts take less time."""

    def __call__(self, request: Generate, /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return aclosing(self._events(request.messages[-1].content))

    async def _events(self, text: str) -> AsyncGenerator[Event, None]:
        await asyncio.sleep(0.02 / len(text))
        yield TextDelta(text.upper())
        yield Usage()


def engines(*rows: Any, **steps: Any) -> Any:
    def run(request: object) -> Any:
        given: tuple[Step, ...] = (Segment(" Good day", 0.0, 1.0, 0.9), Usage())
        return steps.get("spoken", given) if isinstance(request, Transcribe) else [TextDelta("Bonjour"), Usage()]

    return FakeEngines(run, rows)


async def translated(
    target: str, made: Any, remote: Any = None, transcript: Transcript = GERMAN, **fields: Any
) -> list[events.Event]:
    found: list[events.Event] = []
    translator = TurnTranslator(made, remote, found.append)
    translator.add(TranslationRequest("i", transcript, AUDIO, Transcription(**fields), target))
    await translator.finish()
    return found


async def test_english_comes_from_the_speech_where_the_recogniser_can() -> None:
    made = engines(MULTILINGUAL, MODEL)
    assert await translated("en", made, prompt="p", words=True) == [events.TranslationDone("i", "Good day", "en")]
    (request,) = made.requests(Transcribe)
    assert (request.task, request.prompt, request.words, request.audio.duration) == ("translate", None, False, 1.0)


@pytest.mark.parametrize(("target", "rows"), [("fr", (MULTILINGUAL, MODEL)), ("en", (row(Kind.ASR), MODEL))])
async def test_else_it_comes_from_the_language_model(target: str, rows: tuple[Any, ...]) -> None:
    assert await translated(target, engines(*rows)) == [events.TranslationDone("i", "Bonjour", target)]


async def test_a_remote_language_model_comes_first() -> None:
    found = await translated("fr", engines(MULTILINGUAL, MODEL), Elsewhere())
    assert found == [events.TranslationDone("i", "GUTEN TAG", "fr")]


async def test_what_is_in_the_language_already_stays() -> None:
    made = engines(MULTILINGUAL)
    assert await translated("de", made) == [events.TranslationDone("i", "Guten Tag", "de")]
    into_english = await translated("en", made, transcript=Transcript("Good day", language="de"), task="translate")
    assert into_english == [events.TranslationDone("i", "Good day", "en")]
    assert not made.jobs


async def test_without_a_model_there_is_no_event() -> None:
    nobody = engines(MULTILINGUAL)
    assert await translated("fr", nobody) == []
    assert await translated("fr", engines(MULTILINGUAL, MODEL), transcript=Transcript("")) == []
    able = [can_translate(nobody, remote, Transcription(), to) for remote, to in ((None, "fr"), (None, "en"))]
    assert able == [False, True] and can_translate(nobody, Elsewhere(), Transcription(), "fr")


async def test_a_failure_is_told() -> None:
    (failed,) = await translated("en", engines(MULTILINGUAL, spoken=[EngineFailed("broken")]))
    assert isinstance(failed, events.TranslationFailed) and str(failed.error) == "broken"
    (failed,) = await translated("en", engines(MULTILINGUAL, spoken=[RuntimeError("secret")]))
    assert isinstance(failed, events.TranslationFailed) and "secret" not in str(failed.error)
    (failed,) = await translated("en", engines(MULTILINGUAL, spoken=[Usage()]))
    assert isinstance(failed, events.TranslationFailed) and "no translation" in str(failed.error)


async def test_translations_keep_the_order_of_the_turns_and_have_a_bound() -> None:
    found: list[Any] = []
    translator = TurnTranslator(engines(MULTILINGUAL), Elsewhere(), found.append)
    for number in range(MAX_WAITING + 1):
        transcript = Transcript("a" * (number + 1), language="de")
        translator.add(TranslationRequest(str(number), transcript, AUDIO, Transcription(), "fr"))
    refused = found.pop()
    assert refused.item == str(MAX_WAITING) and isinstance(refused.error, Busy)
    await translator.finish()
    assert [event.item for event in found] == [str(number) for number in range(MAX_WAITING)]


async def test_closing_stops_what_is_under_way() -> None:
    found: list[Any] = []
    translator = TurnTranslator(engines(MULTILINGUAL, spoken=[60.0]), None, found.append)
    translator.add(TranslationRequest("i", GERMAN, AUDIO, Transcription(), "en"))
    await asyncio.sleep(0)
    await translator.close()
    assert not found


async def test_a_session_translates_its_turns_and_waits_for_the_last() -> None:
    format = AudioFormat("float32", 16000)
    settings = Settings(transcribes_only=True, input=format, transcription=Transcription(language="en"))
    session = TranscriptionSession(ScriptedInput(), replace(settings, translate_to="fr"), write=Elsewhere())
    async with asyncio.timeout(30), session:
        for piece in (speech(1.0), silence(1.0), speech(0.5)):
            await session.send(commands.Append(audio=format.encode(piece)))
        await session.send(commands.Finish())
        found = [event async for event in session.events()]
    done = [event for event in found if isinstance(event, events.TranscriptDone | events.TranslationDone)]
    texts = [event.text if isinstance(event, events.TranslationDone) else event.transcript.text for event in done]
    assert sorted(texts) == ["W1", "W1 W2", "w1", "w1 w2"]
    items = [event.item for event in done if isinstance(event, events.TranscriptDone)]
    assert [event.item for event in done if isinstance(event, events.TranslationDone)] == items
