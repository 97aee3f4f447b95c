"""A text while it is written, and what of it can be said: clauses, or sentences as far as they go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass

from speechmlx.conversation.response.clauses import ClauseSplitter
from speechmlx.conversation.response.sentences import SentencePiece, SentenceSplitter

HELD = 10.0
"""Seconds for which a voice waits for more of a text: it has few places, and others need them. What comes later is
another job's."""


@dataclass(frozen=True)
class TimedText:
    """More of a text, which came at the second `at` of a clock that only its writer must know."""

    text: str
    at: float
    cut_off: bool = False
    """It is the last of the text, which ends because of a limit of tokens."""


async def clauses_of(text: AsyncIterator[TimedText]) -> AsyncGenerator[str, None]:
    """The clauses of a text, each as soon as it is complete."""
    splitter, cut_off = ClauseSplitter(), False
    async for written in text:
        cut_off = written.cut_off
        for clause in splitter.push(written.text, written.at) if written.text else ():
            yield clause
    if last := splitter.flush(cut_off):
        yield last


class SentenceReader:
    """The sentences of a text, each as far as it can be said.

    `text` must go on after a wait for more of it was cancelled: a Channel does, a generator does not.
    """

    def __init__(self, text: AsyncIterator[TimedText]) -> None:
        self._text = text
        self._splitter = SentenceSplitter()
        self._found = deque[SentencePiece]()
        self._is_over = False
        self._pauses = False
        """Nothing came for HELD seconds, and nothing since."""

    async def ready(self, for_job: bool = False) -> bool:
        """Wait for more to say. False: the text is over, or it pauses and a voice is held `for_job`.

        A sentence of which nothing comes for HELD seconds ends there.
        """
        while not (self._found or self._is_over or (for_job and self._pauses)):
            await self._read(HELD if for_job or self._splitter.is_open else None)
        return bool(self._found)

    async def _read(self, patience: float | None) -> None:
        """Read more of the text, for `patience` seconds at most; where there is none, its sentence ends."""
        try:
            async with asyncio.timeout(patience):
                written = await anext(self._text)
        except StopAsyncIteration:
            self._is_over = True
        except TimeoutError:
            self._pauses = True
        else:
            self._pauses = False
            self._found += self._splitter.push(written.text, written.at)
            return
        if last := self._splitter.flush():
            self._found.append(last)

    @property
    def next(self) -> SentencePiece:
        """What `take` takes. Ask once `ready`."""
        return self._found[0]

    def take(self) -> SentencePiece:
        """What there is to say next. Call it once `ready`."""
        return self._found.popleft()

    def put_back(self, pieces: Iterable[SentencePiece]) -> None:
        """Let `pieces` be taken again, before all others."""
        self._found = deque([*pieces, *self._found])
