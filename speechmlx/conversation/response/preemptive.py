"""Work on an answer before it is wanted: the prompt is read while a person speaks, the answer is begun at a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.response.answer import Piece
from speechmlx.errors import SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import Generate, Priority, Speak

KEPT = 20.0
"""Seconds that a draft waits until it is taken: it holds a place in the language model's batch."""
AHEAD = 16
"""Pieces that are made ahead of the reader."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnswerRequest:
    """What the models are asked for: the text, and how it is spoken (None: as text alone)."""

    text: Generate
    speech: Speak | None


MakeAnswer = Callable[[AnswerRequest], AsyncGenerator[Piece, None]]
MakeRequest = Callable[[str], AnswerRequest | None]
"""The words of a turn → the request for its answer; None: it gets no answer. Raises SpeechErrors."""


class Draft:
    """An answer that is made before it is wanted, up to AHEAD pieces ahead of its reader."""

    def __init__(self, request: AnswerRequest, pieces: AsyncGenerator[Piece, None]) -> None:
        self.request = request
        self._channel = Channel[Piece](AHEAD)
        self._working = asyncio.create_task(self._work(pieces))
        self._channel.end_after(self._working)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The answer; one reader. Close it to stop the work."""
        try:
            async for piece in self._channel:
                yield piece
        finally:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    @property
    def failed(self) -> bool:
        """Whether it ended in an error. A new attempt may succeed."""
        done = self._working.done() and not self._working.cancelled()
        return done and self._working.exception() is not None

    def cancel(self) -> None:
        """Stop the work."""
        self._working.cancel()

    async def _work(self, pieces: AsyncGenerator[Piece, None]) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                await self._channel.send(piece)


class PreemptiveGeneration:
    """The work ahead of one session. Errors are only logged: the answer meets them again and reports them."""

    def __init__(self, engines: Engines, make_answer: MakeAnswer) -> None:
        self._engines = engines
        self._make_answer = make_answer
        self._read_for: object = None
        self._reading: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._draft: Draft | None = None

    def read(self, make_request: MakeRequest, key: object) -> None:
        """Let the language model read the prompt up to the words of the turn: it keeps what it read.

        Does nothing where this was done for the same `key` last.
        """
        if key != self._read_for:
            self._read_for = key
            if self._reading is not None:
                self._reading.cancel()
            self._reading = asyncio.create_task(self._read(make_request))

    def begin(self, transcript: Awaitable[Transcript], make_request: MakeRequest) -> None:
        """Begin the answer to a turn that may be over, when its words are known. Drops an earlier draft."""
        self.drop()
        self._beginning = asyncio.create_task(self._begin(transcript, make_request))

    def take(self, request: AnswerRequest) -> AsyncGenerator[Piece, None] | None:
        """The draft of exactly this request, if it has not failed. Drops any other draft."""
        draft, self._draft = self._draft, None
        self.drop()
        if draft is not None and draft.request == request and not draft.failed:
            return draft.pieces()
        if draft is not None:
            draft.cancel()
        return None

    def drop(self) -> None:
        """Stop the draft: the turn goes on."""
        if self._beginning is not None:
            self._beginning.cancel()
        if self._draft is not None:
            self._draft.cancel()
        self._beginning = self._draft = None

    async def close(self) -> None:
        """Stop all work."""
        self.drop()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, make_request: MakeRequest) -> None:
        try:
            if (request := make_request("?")) is None:
                return
            text = replace(request.text, max_tokens=1, priority=Priority.INTERACTIVE)
            await self._engines.submit(text).finished()
        except SpeechError as error:
            log.debug("reading the prompt ahead failed: %s", error)

    async def _begin(self, transcript: Awaitable[Transcript], make_request: MakeRequest) -> None:
        try:
            text = (await asyncio.shield(transcript)).text
            request = make_request(text) if text else None
        except SpeechError as error:
            log.debug("beginning an answer failed: %s", error)
            return
        if request is not None:
            self._draft = Draft(request, self._make_answer(request))
            await asyncio.sleep(KEPT)
            self.drop()
