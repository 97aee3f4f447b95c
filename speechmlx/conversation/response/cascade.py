"""A spoken answer from two models: synthesis speaks while the language model writes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.llm.context import build_context
from speechmlx.conversation.llm.language_model import LanguageModel, build_request
from speechmlx.conversation.response.answer import Answer, Piece, ResponseInput
from speechmlx.conversation.response.preemptive import AHEAD, AnswerRequest, PreemptiveGeneration
from speechmlx.conversation.response.synthesis import build_speech
from speechmlx.conversation.response.written_speech import speak_audibly
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import EngineFailed
from speechmlx.runtime.channel import Channel
from speechmlx.types import FunctionCall, Generate, Kind, Speak, TextDelta, Usage

log = logging.getLogger(__name__)


class Cascade:
    """The responder that joins a language model and a synthesiser.

    `generate` is the language model; `remote`: it runs on another server, which keeps no prompts for this one.
    """

    def __init__(self, engines: Engines, generate: LanguageModel, remote: bool, clock: Clock) -> None:
        self.kinds = (Kind.TTS,) if remote else (Kind.LLM, Kind.TTS)
        self._engines = engines
        self._generate = generate
        self._remote = remote
        self._clock = clock
        self._preemptive = PreemptiveGeneration(engines, self._make)

    def needs_transcripts(self, items: tuple[Item, ...]) -> bool:
        return True

    def respond(self, input: ResponseInput) -> Answer:
        request = self._request(input)
        audio_in = sum(part.seconds for item in input.items if item.role == "user" for part in item.parts)
        return Answer(self._preemptive.take(request) or self._make(request), audio_in)

    def read_ahead(self, input: ResponseInput) -> None:
        if not self._remote:
            self._preemptive.read(lambda text: self._request(_with_turn(input, text)), input.answering)

    def draft(self, transcript: Awaitable[Transcript], input: Callable[[], ResponseInput | None]) -> None:
        def make_request(text: str) -> AnswerRequest | None:
            before = input()
            return None if before is None else self._request(_with_turn(before, text))

        self._preemptive.begin(transcript, make_request)

    def drop_draft(self) -> None:
        self._preemptive.drop()

    async def close(self) -> None:
        await self._preemptive.close()

    def _make(self, request: AnswerRequest) -> AsyncGenerator[Piece, None]:
        return answer(self._engines, self._generate, request, self._clock)

    def _request(self, input: ResponseInput) -> AnswerRequest:
        model = None if self._remote else model_or_default(self._engines, input.model, Kind.LLM).name
        context = build_context(input.items, "", input.answering.forgets)
        return AnswerRequest(
            build_request(input.answering, context, model), build_speech(self._engines, input.answering)
        )


def _with_turn(input: ResponseInput, text: str) -> ResponseInput:
    """The input, and after it a person's turn with these words."""
    return replace(input, items=(*input.items, Item(id="", parts=(Part("audio", text),))))


async def answer(
    engines: Engines, generate: LanguageModel, request: AnswerRequest, clock: Clock
) -> AsyncGenerator[Piece, None]:
    """Text and function calls as they are written; each clause with its audio, where it is spoken; Usage of the model.

    The clauses join to the full text, except that a voice which takes whole clauses does not speak a last sentence that
    `max_tokens` cut off, if a complete one came before it. Close it (`contextlib.aclosing`) and every job under way is
    cancelled. Raises SpeechErrors.
    """
    pieces, text = Channel[Piece](AHEAD), Channel[TimedText]()

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_write(generate, request.text, pieces, text, clock))
                if request.speech is not None:
                    tasks.create_task(_speak(engines, request.speech, text, pieces))
        except* Exception as group:
            raise _first_error(group) from None

    working = asyncio.create_task(work())
    pieces.end_after(working)
    try:
        async for piece in pieces:
            yield piece
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _write(
    generate: LanguageModel, request: Generate, pieces: Channel[Piece], text: Channel[TimedText], clock: Clock
) -> None:
    """Pass on the model's events, and its text to be spoken."""
    names = [str(tool["name"]) for tool in request.tools]
    cut_off, is_empty, invented = False, True, list[str]()
    async with generate(request) as events:
        async for event in events:
            match event:
                case TextDelta():
                    is_empty = False
                    await pieces.send(event)
                    text.put(TimedText(event.text, clock.wall()))
                case FunctionCall() if event.name not in names:
                    invented.append(event.name)
                case FunctionCall():
                    is_empty = False
                    await pieces.send(event)
                case Usage():
                    cut_off = event.cut_off
                    await pieces.send(event)
    if invented:
        reason = f"the language model called {invented[0]!r}, which is none of its functions: {', '.join(names)}"
        if is_empty:
            raise EngineFailed(reason)
        log.warning("%s", reason)
    text.put(TimedText("", clock.wall(), cut_off))
    text.end()


async def _speak(engines: Engines, speech: Speak, text: Channel[TimedText], pieces: Channel[Piece]) -> None:
    """Speak the text while it is written."""
    async with aclosing(speak_audibly(engines, speech, text)) as spoken:
        async for piece in spoken:
            await pieces.send(piece)


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
