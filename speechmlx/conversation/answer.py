"""An answer from two models, clause by clause: synthesis speaks the first clause while the language model writes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from speechmlx.conversation.settings import Answering, Voice
from speechmlx.conversation.tools import Call, Calls, wish
from speechmlx.conversation.voices import candidates
from speechmlx.errors import UnknownVoice
from speechmlx.runtime.front import Runtime
from speechmlx.text import finished
from speechmlx.types import Chunk, Event, Generate, Message, Priority, Speak, TextDelta, Usage

MAX_TOKENS = 1024
"""Of an answer whose length nobody limited."""
REPETITION_PENALTY = 1.1
"""Small models otherwise say one sentence again and again; more makes them avoid the right word."""
INSTRUCTIONS = "You are a helpful voice assistant. Answer the question in one short sentence."
FIRST_CLAUSE = 10
"""Characters of the first clause, at least: short, as the listener waits for it."""
CLAUSE = 24
"""Characters of the clauses after it, at least: what is worth speaking on its own."""
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
    tools = () if answering.tool_choice == "none" else answering.tools
    told = [answering.instructions or INSTRUCTIONS, wish(answering.tool_choice) if tools else ""]
    system = "\n".join(text for text in told if text)
    said = tuple(message for message in messages if message.role != "system")
    added = "\n\n".join([system, *(message.content for message in messages if message.role == "system")])
    return Generate(
        model=model,
        messages=(Message("system", added), *said),
        max_tokens=answering.max_tokens or MAX_TOKENS,
        temperature=answering.temperature,
        repetition_penalty=None if tools else REPETITION_PENALTY,
        tools=tools,
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
    calls, pending, least, tokens = Calls(), "", FIRST_CLAUSE, 0

    async def out(found: list[str | Call]) -> None:
        nonlocal pending, least
        for one in found:
            if isinstance(one, Call):
                await pieces.put(one)
                continue
            await pieces.put(TextDelta(one))
            whole, pending = finished(pending + one, least, by_clause=True)
            for clause in whole:
                clauses.put_nowait(clause)
                least = CLAUSE

    async with write(asked) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                await out(calls.push(event.text) if asked.tools else [event.text])
            elif isinstance(event, Usage):
                tokens = event.tokens_out
                await pieces.put(event)
    await out(calls.flush())
    cut_off = tokens >= asked.max_tokens and least == CLAUSE
    if pending.strip() and not cut_off:
        clauses.put_nowait(pending)
    clauses.put_nowait(None)


async def _speak(
    runtime: Runtime,
    voice: Voice,
    priority: Priority,
    clauses: asyncio.Queue[str | None],
    pieces: asyncio.Queue[Piece],
) -> None:
    while (clause := await clauses.get()) is not None:
        await pieces.put(Clause(clause))
        async with aclosing(spoken(runtime, clause.strip(), voice, priority)) as chunks:
            async for chunk in chunks:
                await pieces.put(chunk)
        await pieces.put(Said())


class Draft:
    """An answer begun before it is sure that it is wanted: at work at once, `AHEAD` pieces ahead of who takes it."""

    def __init__(self, asked: Generate, pieces: AsyncGenerator[Piece, None]) -> None:
        self.asked = asked
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

    def cancel(self) -> None:
        """It is not wanted."""
        self._working.cancel()

    async def _work(self, pieces: AsyncGenerator[Piece, None]) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                await self._pieces.put(piece)


async def spoken(runtime: Runtime, text: str, voice: Voice, priority: Priority) -> AsyncGenerator[Chunk, None]:
    """`text` in the first of the wanted voices that the synthesiser has. Raises UnknownVoice where it has none."""
    *others, last = candidates(voice.name) if voice.required else (*candidates(voice.name), None)
    for name in (*others, last):
        speak = Speak(text=text, voice=name, language=voice.language, speed=voice.speed, priority=priority)
        try:
            async with runtime.submit(speak) as job:
                async for event in job:
                    if isinstance(event, Chunk):
                        yield event
            return
        except UnknownVoice:
            if name == last:
                raise
