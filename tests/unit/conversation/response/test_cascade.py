"""An answer from two models: the order of its pieces, what is spoken of it, and what becomes of errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeEngines, FakeJob, Step, row

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.response.answer import ClauseEnded, ClauseStarted, Piece, ResponseInput
from speechmlx.conversation.response.cascade import Cascade, answer
from speechmlx.conversation.response.preemptive import AnswerRequest
from speechmlx.conversation.settings import Answering, VoiceSettings
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.models.voices import VoiceList
from speechmlx.types import Chunk, Event, FunctionCall, Generate, Kind, Message, Speak, TextDelta, Usage

SOUND = Chunk(np.full(2400, 9000, "<i2").tobytes(), 24000)
TOOL = {"name": "f"}
ROWS = (row(Kind.LLM), row(Kind.TTS))
CLOCK = Clock(lambda: 0.0, lambda: 0.0)


def models(text: Iterable[Step], speech: Iterable[Step] = (SOUND,)) -> FakeEngines:
    """A language model that gives `text` and a synthesiser that gives `speech` for each clause."""
    return FakeEngines(lambda request: text if isinstance(request, Generate) else speech, ROWS)


async def made(engines: FakeEngines, tools: Sequence[Any] = (), speech: Speak | None = Speak(text="")) -> list[Piece]:  # noqa: B008
    request = AnswerRequest(Generate(messages=(Message("user", "Hi"),), tools=tuple(tools)), speech)
    async with aclosing(answer(engines, engines.submit, request, CLOCK)) as pieces:
        return [piece async for piece in pieces]


async def test_text_comes_as_it_is_written_and_clauses_with_their_audio() -> None:
    usage = Usage(tokens_out=3)
    engines = models([TextDelta("It is late now. "), TextDelta("Go home, my friend."), usage])
    pieces = await made(engines)
    assert [piece for piece in pieces if isinstance(piece, TextDelta | Usage)] == [
        TextDelta("It is late now. "), TextDelta("Go home, my friend."), usage,
    ]  # fmt: skip
    spoken = [piece for piece in pieces if not isinstance(piece, TextDelta | Usage)]
    assert spoken == [
        ClauseStarted("It is late now. "), SOUND, ClauseEnded(),
        ClauseStarted("Go home, my friend."), SOUND, ClauseEnded(),
    ]  # fmt: skip
    assert [request.text for request in engines.requests(Speak)] == ["It is late now.", "Go home, my friend."]


async def test_the_first_clause_is_spoken_while_the_next_is_written() -> None:
    engines = models([TextDelta("It is late now. "), TextDelta("Go"), 0.02, TextDelta(" home.")])
    pieces = await made(engines)
    assert pieces.index(SOUND) < pieces.index(TextDelta(" home."))


async def test_text_alone_is_not_spoken() -> None:
    engines = models([TextDelta("It is late now. ")])
    assert await made(engines, speech=None) == [TextDelta("It is late now. ")]
    assert not list(engines.requests(Speak))


async def test_a_sentence_that_the_limit_cut_off_is_not_spoken() -> None:
    pieces = await made(models([TextDelta("It is late now. Go"), Usage(cut_off=True)]))
    assert [piece.text for piece in pieces if isinstance(piece, ClauseStarted)] == ["It is late now. "]


async def test_calls_of_functions_that_there_are() -> None:
    call = FunctionCall("f", "{}")
    assert await made(models([call]), [TOOL]) == [call]
    pieces = await made(models([TextDelta("Yes. "), FunctionCall("g", "{}")]), [TOOL])
    assert not [piece for piece in pieces if isinstance(piece, FunctionCall)]
    with pytest.raises(EngineFailed, match="called 'g', which is none of its functions: f"):
        await made(models([FunctionCall("g", "{}")]), [TOOL])


async def test_what_cannot_be_spoken_is_silent_unless_nothing_can() -> None:
    def run(request: Any) -> Iterable[Step]:
        if isinstance(request, Generate):
            return [TextDelta("This is mute. "), TextDelta("** "), TextDelta("This is not.")]
        return [BadRequest("nothing can be said")] if "mute" in request.text else [SOUND]

    pieces = await made(FakeEngines(run, ROWS))
    assert [type(piece) for piece in pieces if not isinstance(piece, TextDelta)] == [
        ClauseStarted, ClauseEnded, ClauseStarted, Chunk, ClauseEnded,
    ]  # fmt: skip
    with pytest.raises(BadRequest, match="nothing can be said"):
        await made(models([TextDelta("This is mute.")], [BadRequest("nothing can be said")]))


@pytest.mark.parametrize(
    ("text", "speech", "error"),
    [
        ([TextDelta("Yes."), EngineFailed("no")], [SOUND], EngineFailed),
        ([TextDelta("It is late now. "), 0.01, TextDelta("Go.")], [EngineFailed("no")], EngineFailed),
        ([TextDelta("It is late now. ")], [UnknownVoice("no")], UnknownVoice),
    ],
)
async def test_an_error_of_either_model_ends_it(text: list[Step], speech: list[Step], error: type[Exception]) -> None:
    engines = models(text, speech)
    with pytest.raises(error, match="no"):
        await made(engines)
    assert all(job.left for job in engines.jobs)


async def test_closing_it_leaves_every_job() -> None:
    engines = models([TextDelta("It is late now. Go"), 60.0], [SOUND, 60.0])
    request = AnswerRequest(Generate(messages=()), Speak(text=""))
    pieces = answer(engines, engines.submit, request, CLOCK)
    while await anext(pieces) != SOUND:
        pass
    await pieces.aclose()
    assert len(engines.jobs) == 2 and all(job.left for job in engines.jobs)


# --- the responder -----------------------------------------------------------------------------------------------

ASKED = ResponseInput((Item(id="a", parts=(Part("audio", "Hello", seconds=1.5),)),), Answering(spoken=False))


async def said(cascade: Cascade, asked: ResponseInput = ASKED) -> str:
    found = cascade.respond(asked)
    assert found.audio_in == 1.5
    return "".join([piece.text async for piece in found.pieces if isinstance(piece, TextDelta)])


async def drafted(cascade: Cascade, words: str) -> None:
    async def transcript() -> Transcript:
        return Transcript(words)

    before = ResponseInput((), ASKED.answering)
    cascade.draft(asyncio.ensure_future(transcript()), lambda: before)
    await asyncio.sleep(0.01)


async def test_a_draft_of_the_same_question_is_the_answer() -> None:
    engines = models([TextDelta("Hello to you.")])
    cascade = Cascade(engines, engines.submit, False, CLOCK)
    assert cascade.kinds == (Kind.LLM, Kind.TTS) and cascade.needs_transcripts(ASKED.items)
    await drafted(cascade, "Hello")
    assert len(engines.jobs) == 1
    assert await said(cascade) == "Hello to you." and len(engines.jobs) == 1
    await drafted(cascade, "Goodbye")
    assert await said(cascade) == "Hello to you." and len(engines.jobs) == 3
    await drafted(cascade, "Hello")
    cascade.drop_draft()
    assert await said(cascade) == "Hello to you." and len(engines.jobs) == 5
    await drafted(cascade, "")
    assert len(engines.jobs) == 5
    await cascade.close()


async def test_the_prompt_is_read_ahead_once_for_the_same_settings() -> None:
    engines = models([TextDelta("x")])
    cascade = Cascade(engines, engines.submit, False, CLOCK)
    for _ in range(2):
        cascade.read_ahead(ASKED)
        await asyncio.sleep(0)
    cascade.read_ahead(ResponseInput(ASKED.items, Answering(spoken=False, instructions="Be kind.")))
    await asyncio.sleep(0.01)
    read = list(engines.requests(Generate))
    assert [request.max_tokens for request in read] == [1, 1]
    assert [message.content for message in read[0].messages[-2:]] == ["Hello", "?"]
    await cascade.close()


async def test_another_servers_model_is_asked_under_its_own_name_and_reads_nothing_ahead() -> None:
    asked = list[Generate]()

    @asynccontextmanager
    async def generate(request: Generate) -> AsyncIterator[AsyncIterator[Event]]:
        asked.append(request)
        yield FakeJob(request, [TextDelta("Hello.")])

    engines = FakeEngines(rows=[row(Kind.TTS)])
    cascade = Cascade(engines, generate, True, CLOCK)
    assert cascade.kinds == (Kind.TTS,)
    cascade.read_ahead(ASKED)
    assert await said(cascade) == "Hello."
    assert [request.model for request in asked] == [None] and not engines.jobs


def test_a_voice_that_nobody_has_is_refused_at_once() -> None:
    engines = FakeEngines(rows=[ROWS[0], row(Kind.TTS, voices=VoiceList(("anna",)))])
    cascade = Cascade(engines, engines.submit, False, CLOCK)
    with pytest.raises(UnknownVoice, match="no voice 'nobody'"):
        cascade.respond(ResponseInput(ASKED.items, Answering(voice=VoiceSettings(name="nobody"))))
    assert not engines.jobs
