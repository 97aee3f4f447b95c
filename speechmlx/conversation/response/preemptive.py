"""Work on an answer before it is wanted: the prompt is read while a person speaks, the answer is begun at a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.transcription import Transcript
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.response.cascade import AHEAD, Piece, answer, until
from speechmlx.conversation.settings import Answering
from speechmlx.errors import SpeechError
from speechmlx.types import Generate, Priority

KEPT = 20.0
"""Seconds that a draft waits to be wanted: it holds a seat of the language model's."""

log = logging.getLogger(__name__)

Asked = Callable[[str], Generate | None]
"""The words of a turn → what the language model would be asked, if it would. Raises SpeechErrors."""


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
            async for piece in until(self._ended, self._pieces):
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


class PreemptiveGeneration:
    """Of one session. What goes wrong here is told by the answer itself, which meets it again."""

    def __init__(self, engines: Engines, write: LanguageModel) -> None:
        self._engines = engines
        self._write = write
        self._read_for: Answering | None = None
        self._reading: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._draft: Draft | None = None

    def read(self, answering: Answering, asked: Asked) -> None:
        """Let the runtime's language model read what comes before the words, once for each `answering`: it is kept."""
        if answering != self._read_for:
            self._read_for = answering
            if self._reading is not None:
                self._reading.cancel()
            self._reading = asyncio.create_task(self._read(asked))

    def begin(self, answering: Answering, guessed: Awaitable[Transcript], asked: Asked) -> None:
        """The turn may be over with the words of `guessed`: write the answer that it would have."""
        self.drop()
        self._beginning = asyncio.create_task(self._begin(answering, guessed, asked))

    def take(self, asked: Generate, answering: Answering) -> AsyncGenerator[Piece, None] | None:
        """The answer to exactly this, if it was begun and has not failed; another is dropped."""
        draft, self._draft = self._draft, None
        self.drop()
        if draft is not None and (draft.asked, draft.answering) == (asked, answering) and not draft.failed:
            return draft.pieces()
        if draft is not None:
            draft.cancel()
        return None

    def drop(self) -> None:
        """The turn goes on."""
        if self._beginning is not None:
            self._beginning.cancel()
        if self._draft is not None:
            self._draft.cancel()
        self._beginning = self._draft = None

    async def close(self) -> None:
        """End what is under way."""
        self.drop()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, asked: Asked) -> None:
        try:
            if (request := asked("?")) is None:
                return
            request = replace(request, max_tokens=1, priority=Priority.INTERACTIVE)
            await self._engines.submit(request).finished()
        except SpeechError as error:
            log.debug("reading ahead: %s", error)

    async def _begin(self, answering: Answering, guessed: Awaitable[Transcript], asked: Asked) -> None:
        try:
            text = (await asyncio.shield(guessed)).text
            request = asked(text) if text else None
        except SpeechError as error:
            log.debug("beginning an answer: %s", error)
            return
        if request is not None:
            self._draft = Draft(request, answering, answer(self._engines, self._write, request, answering))
            await asyncio.sleep(KEPT)
            self.drop()
