"""An answer from two models, clause by clause: synthesis speaks the first clause while the language model writes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.response.clauses import CLAUSE, FIRST_CLAUSE, PATIENCE, early
from speechmlx.conversation.response.synthesis import paced, pause_after, spoken
from speechmlx.conversation.settings import Answering, Voice
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.text import finished
from speechmlx.types import Chunk, FunctionCall, Generate, Priority, TextDelta, Usage

log = logging.getLogger(__name__)

AHEAD = 16
"""Pieces made and not yet taken."""


@dataclass(frozen=True)
class Clause:
    """The chunks that follow are the audio of `text`."""

    text: str


@dataclass(frozen=True)
class Said:
    """The audio of the clause is whole."""


Piece = TextDelta | Clause | Said | Chunk | FunctionCall | Usage


async def answer(
    engines: Engines, write: LanguageModel, asked: Generate, answering: Answering
) -> AsyncGenerator[Piece, None]:
    """TextDelta and FunctionCall as they are written and, when spoken, each clause with its audio; Usage of the model.

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
                    tasks.create_task(_speak(engines, answering.voice, asked.priority, clauses, pieces))
        except* Exception as group:
            raise first(group) from None

    working = asyncio.create_task(work())
    working.add_done_callback(lambda _: ended.set())
    try:
        async for piece in until(ended, pieces):
            yield piece
        await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def until(ended: asyncio.Event, pieces: asyncio.Queue[Piece]) -> AsyncGenerator[Piece, None]:
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
    write: LanguageModel, asked: Generate, pieces: asyncio.Queue[Piece], clauses: asyncio.Queue[str | None]
) -> None:
    """The model's text → pieces at once, and clauses as they are whole."""
    names = [str(tool["name"]) for tool in asked.tools]
    pending, least, cut_off, wrote, invented = "", FIRST_CLAUSE, False, False, list[str]()
    began = time.monotonic()

    def cut(text: str) -> None:
        nonlocal pending, least, began
        if not pending.strip():
            began = time.monotonic()
        whole, pending = finished(pending + text, least, by_clause=True)
        if not whole:
            whole, pending = early(pending, least == FIRST_CLAUSE, time.monotonic() - began > PATIENCE)
        for clause in whole:
            clauses.put_nowait(clause)
            least, began = CLAUSE, time.monotonic()

    async with write(asked) as events:
        async for event in events:
            match event:
                case FunctionCall(name) if name not in names:
                    invented.append(name)
                case TextDelta() | FunctionCall():
                    wrote = True
                    await pieces.put(event)
                    if isinstance(event, TextDelta):
                        cut(event.text)
                case Usage():
                    cut_off = event.cut_off
                    await pieces.put(event)
    if invented:
        told = f"the language model called {invented[0]!r}, which is none of its functions: {', '.join(names)}"
        if not wrote:
            raise EngineFailed(told)
        log.warning("%s", told)
    if pending.strip() and not (cut_off and least == CLAUSE):
        clauses.put_nowait(pending)
    clauses.put_nowait(None)


async def _speak(
    engines: Engines,
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
                chunks = spoken(engines, clause.strip(), voice, priority)
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
