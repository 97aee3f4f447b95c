"""An answer from two models, clause by clause: synthesis speaks the first clause while the language model writes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from speechmlx.conversation.pauses import paced, pause_after
from speechmlx.conversation.settings import Answering, Voice
from speechmlx.conversation.thoughts import Thoughts
from speechmlx.conversation.tools import Call, Calls, offered, wish
from speechmlx.conversation.voices import candidates
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.runtime.front import Runtime
from speechmlx.text import STOPS, finished, phrase
from speechmlx.types import Chunk, Event, Generate, Message, Priority, Request, Speak, TextDelta, Usage

log = logging.getLogger(__name__)

MAX_TOKENS = 4096
"""Of an answer whose length nobody limited: the most that can be asked for."""
REPETITION_PENALTY = 1.1
"""Small models otherwise say one sentence again and again; more makes them avoid the right word."""
INSTRUCTIONS = "You are a helpful voice assistant. Answer the question in one short sentence."
FIRST_CLAUSE = 10
LONGEST_FIRST_CLAUSE = 60
"""Characters of the first clause, at least and at most: short, as the listener waits for it."""
CLAUSE = 24
"""Characters of the clauses after it, at least, and of a phrase: what is worth speaking on its own."""
PATIENCE = 0.4
"""Seconds that a clause may take to write: of a slower one its phrases are spoken, or the listener would run dry."""
AHEAD = 16
"""Pieces made and not yet taken."""

Writer = Callable[[Generate], AbstractAsyncContextManager[AsyncIterator[Event]]]
"""What writes: Runtime.submit, or an endpoint elsewhere."""


@dataclass(frozen=True)
class Clause:
    """The chunks that follow are the audio of `text`."""

    text: str


@dataclass(frozen=True)
class Said:
    """The audio of the clause is whole."""


Piece = TextDelta | Clause | Said | Chunk | Call | Usage


def request(answering: Answering, messages: tuple[Message, ...], model: str | None) -> Generate:
    """What the language model is asked; `messages` without instructions."""
    tools = offered(answering.tools, answering.tool_choice)
    choice = answering.tool_choice
    told = [answering.instructions or INSTRUCTIONS, wish(answering.tool_choice) if tools else ""]
    system = "\n".join(text for text in told if text)
    said = tuple(message for message in messages if message.role != "system")
    added = "\n\n".join([system, *(message.content for message in messages if message.role == "system")])
    return Generate(
        model=model,
        messages=(Message("system", added), *said),
        max_tokens=answering.max_tokens or MAX_TOKENS,
        temperature=answering.temperature or 0.0,
        repetition_penalty=None if tools else REPETITION_PENALTY,
        tools=tools,
        tool_choice=str(choice.get("name")) if isinstance(choice, Mapping) else choice,
        drops_oldest=answering.forgets,
        priority=Priority.REALTIME,
    )


async def answer(runtime: Runtime, write: Writer, asked: Generate, answering: Answering) -> AsyncGenerator[Piece, None]:
    """TextDelta and Call as they are written and, when spoken, each clause with its audio; Usage of the model.

    The clauses joined are the text, but that a sentence which the limit of tokens cut off is left unsaid after others
    that were whole. Close it (`contextlib.aclosing`) and every job under way is cancelled. Raises SpeechErrors.
    """
    pieces: asyncio.Queue[Piece] = asyncio.Queue(AHEAD)
    ended = asyncio.Event()
    clauses: asyncio.Queue[str | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_write(write, asked, pieces, clauses))
                if answering.spoken:
                    tasks.create_task(_speak(runtime, answering.voice, asked.priority, clauses, pieces))
        except* Exception as group:
            raise first(group) from None

    working = asyncio.create_task(work())
    working.add_done_callback(lambda _: ended.set())
    try:
        async for piece in _until(ended, pieces):
            yield piece
        await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _until(ended: asyncio.Event, pieces: asyncio.Queue[Piece]) -> AsyncGenerator[Piece, None]:
    """Pieces until the queue is empty and no more will come."""
    over = asyncio.create_task(ended.wait())
    try:
        while not (ended.is_set() and pieces.empty()):
            getting = asyncio.create_task(pieces.get())
            try:
                await asyncio.wait({getting, over}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getting.done():
                    getting.cancel()
            if getting.done() and not getting.cancelled():
                yield getting.result()
    finally:
        over.cancel()


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _write(
    write: Writer, asked: Generate, pieces: asyncio.Queue[Piece], clauses: asyncio.Queue[str | None]
) -> None:
    """The model's text → pieces at once, and clauses as they are whole."""
    names = [str(tool["name"]) for tool in asked.tools]
    thoughts, calls, pending, least, cut_off = Thoughts(), Calls(names), "", FIRST_CLAUSE, False
    began, tokens, wrote, invented = time.monotonic(), 0, False, list[str]()

    async def out(found: list[str | Call]) -> None:
        nonlocal pending, least, began, tokens, wrote
        for one in found:
            if isinstance(one, Call) and one.name not in names:
                invented.append(one.name)
                continue
            wrote = True
            if isinstance(one, Call):
                await pieces.put(one)
                continue
            await pieces.put(TextDelta(one, tokens))
            tokens = 0
            if not pending.strip():
                began = time.monotonic()
            whole, pending = finished(pending + one, least, by_clause=True)
            if not whole:
                whole, pending = early(pending, least == FIRST_CLAUSE, time.monotonic() - began > PATIENCE)
            for clause in whole:
                clauses.put_nowait(clause)
                least, began = CLAUSE, time.monotonic()

    async with write(asked) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                tokens += event.tokens
                said = thoughts.push(event.text)
                await out(calls.push(said) if asked.tools else [said] if said else [])
            elif isinstance(event, Usage):
                cut_off = event.cut_off
                await pieces.put(event)
    rest = thoughts.flush()
    await out([*calls.push(rest), *calls.flush(cut_off)] if asked.tools else [rest] if rest else [])
    if invented:
        told = f"the language model called {invented[0]!r}, which is none of its functions: {', '.join(names)}"
        if not wrote:
            raise EngineFailed(told)
        log.warning("%s", told)
    if pending.strip() and not (cut_off and least == CLAUSE):
        clauses.put_nowait(pending)
    clauses.put_nowait(None)


def early(text: str, first: bool, slow: bool) -> tuple[list[str], str]:
    """What can be said of a clause that is not whole, and the rest: a first clause up to a comma that just came, a slow
    or long one to the end of its first phrase, and of a long first one without phrases some words.
    """
    if first and len(text) >= FIRST_CLAUSE and text[-1] in ",;:" and text[-2].isalpha():  # no number that goes on
        return [text], ""
    is_long = first and len(text) > LONGEST_FIRST_CLAUSE
    if (not slow and not is_long) or text.rstrip()[-1:] in STOPS:  # at a stop it is short enough as it is
        return [], text
    said, rest = phrase(text, CLAUSE)
    if not said and is_long:
        end = text.rfind(" ", FIRST_CLAUSE, LONGEST_FIRST_CLAUSE) + 1
        said, rest = text[:end], text[end:]
    return ([said], rest) if said else ([], text)


async def _speak(
    runtime: Runtime,
    voice: Voice,
    priority: Priority,
    clauses: asyncio.Queue[str | None],
    pieces: asyncio.Queue[Piece],
) -> None:
    """Clauses → their audio. What cannot be said is silence, unless nothing at all can."""
    heard, refused = False, None
    while (clause := await clauses.get()) is not None:
        await pieces.put(Clause(clause))
        if any(character.isalnum() for character in clause):
            try:
                chunks = spoken(runtime, clause.strip(), voice, priority)
                async with aclosing(chunks), aclosing(paced(chunks, pause_after(clause))) as sound:
                    async for chunk in sound:
                        heard = True
                        await pieces.put(chunk)
            except UnknownVoice:
                raise
            except BadRequest as error:
                refused = error
        await pieces.put(Said())
    if refused is not None and not heard:
        raise refused


class Draft:
    """An answer begun before it is sure that it is wanted: at work at once, `AHEAD` pieces ahead of who takes it."""

    def __init__(self, asked: Generate, answering: Answering, pieces: AsyncGenerator[Piece, None]) -> None:
        self.asked = asked
        self.answering = answering
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue(AHEAD)
        self._ended = asyncio.Event()
        self._working = asyncio.create_task(self._work(pieces))
        self._working.add_done_callback(lambda _: self._ended.set())

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The answer, once. Close it and the work ends."""
        try:
            async for piece in _until(self._ended, self._pieces):
                yield piece
            await self._working
        finally:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    @property
    def failed(self) -> bool:
        """Whether its work ended in an error, which may be over by now."""
        done = self._working.done() and not self._working.cancelled()
        return done and self._working.exception() is not None

    def cancel(self) -> None:
        """It is not wanted."""
        self._working.cancel()

    async def _work(self, pieces: AsyncGenerator[Piece, None]) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                await self._pieces.put(piece)


async def spoken(runtime: Runtime, text: str, voice: Voice, priority: Priority) -> AsyncGenerator[Chunk, None]:
    """`text` in the first of the wanted voices that the synthesiser has. Raises UnknownVoice where it has none."""

    def speak(name: str | None) -> Speak:
        return Speak(text=text, voice=name, language=voice.language, speed=voice.speed, priority=priority)

    names = candidates(voice.name) if voice.required else (*candidates(voice.name), None)
    async with aclosing(voiced(runtime, speak, names)) as events:
        async for event in events:
            if isinstance(event, Chunk):
                yield event


async def voiced(
    runtime: Runtime, asked: Callable[[str | None], Request], names: Sequence[str | None]
) -> AsyncGenerator[Event, None]:
    """Events of a request in the first voice of `names` that its model has. Raises UnknownVoice where it has none."""
    for name in names:
        try:
            async with runtime.submit(asked(name)) as job:
                async for event in job:
                    yield event
            return
        except UnknownVoice:
            if name == names[-1]:
                raise
