"""A spoken answer from two models: synthesis speaks while the language model writes on.

A voice that takes text while it is written gets all of it, others get clause after clause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, TypeVar

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.llm.context import build_context
from speechmlx.conversation.llm.language_model import LanguageModel, build_request
from speechmlx.conversation.response.answer import Answer, ClauseEnded, ClauseStarted, Piece, ResponseInput
from speechmlx.conversation.response.clauses import ClauseSplitter
from speechmlx.conversation.response.live_speech import speak_written
from speechmlx.conversation.response.preemptive import AHEAD, AnswerRequest, PreemptiveGeneration
from speechmlx.conversation.response.sentences import SentencePiece, SentenceSplitter
from speechmlx.conversation.response.synthesis import build_speech, speak_clause
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, FunctionCall, Generate, Kind, Speak, TextDelta, Usage

log = logging.getLogger(__name__)

Spoken = TypeVar("Spoken")


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
    pieces, speech = Channel[Piece](AHEAD), request.speech
    is_live = speech is not None and engines.model(speech.model, Kind.TTS).streams_text

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                if speech is not None and is_live:
                    said = Channel[SentencePiece]()
                    tasks.create_task(_write(generate, request.text, pieces, SentenceSplitter(), said, clock))
                    tasks.create_task(_speak_written(engines, speech, said, pieces))
                else:
                    clauses = Channel[str]()
                    tasks.create_task(_write(generate, request.text, pieces, ClauseSplitter(), clauses, clock))
                    if speech is not None:
                        tasks.create_task(_speak(engines, speech, clauses, pieces))
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


class Splitter(Protocol[Spoken]):
    """Cuts a text that is being written into what is spoken."""

    def push(self, text: str, now: float) -> list[Spoken]: ...

    def flush(self, cut_off: bool) -> Spoken | None: ...


async def _write(
    generate: LanguageModel,
    request: Generate,
    pieces: Channel[Piece],
    splitter: Splitter[Spoken],
    said: Channel[Spoken],
    clock: Clock,
) -> None:
    """Pass on the model's events, and its text in parts as soon as each can be spoken."""
    names = [str(tool["name"]) for tool in request.tools]
    cut_off, is_empty, invented = False, True, list[str]()
    async with generate(request) as events:
        async for event in events:
            match event:
                case TextDelta(text):
                    is_empty = False
                    await pieces.send(event)
                    for part in splitter.push(text, clock.wall()):
                        said.put(part)
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
    if last := splitter.flush(cut_off):
        said.put(last)
    said.end()


async def _speak_written(engines: Engines, speech: Speak, said: Channel[SentencePiece], pieces: Channel[Piece]) -> None:
    """Speak each sentence while it is written."""
    async with aclosing(speak_written(engines, speech, said)) as spoken:
        async for piece in spoken:
            await pieces.send(piece)


async def _speak(engines: Engines, speech: Speak, clauses: Channel[str], pieces: Channel[Piece]) -> None:
    """Speak each clause. A clause that cannot be spoken is silent; an error only where no clause has sound."""
    has_sound, refused = False, None
    async for clause in clauses:
        await pieces.send(ClauseStarted(clause))
        try:
            async with aclosing(speak_clause(engines, speech, clause)) as spoken:
                async for piece in spoken:
                    has_sound = has_sound or (isinstance(piece, Chunk) and any(piece.pcm16))
                    await pieces.send(piece)
        except UnknownVoice:
            raise
        except BadRequest as error:
            refused = error
        await pieces.send(ClauseEnded())
    if refused is not None and not has_sound:
        raise refused


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
