"""A text while it is written, and what of it can be said: clauses, or sentences as far as they go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass

from speechmlx.conversation.response.clauses import ClauseSplitter
from speechmlx.conversation.response.sentences import SentencePiece, SentenceSplitter


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

    async def ready(self, patience: float | None = None) -> bool:
        """Wait for more to say. False: the text is over, or nothing of it came for `patience` seconds."""
        try:
            while not self._found and not self._is_over:
                async with asyncio.timeout(patience):
                    written = await anext(self._text)
                self._found += self._splitter.push(written.text, written.at)
        except StopAsyncIteration:
            self._is_over = True
            if last := self._splitter.flush(cut_off=False):
                self._found.append(last)
        except TimeoutError:
            return False
        return bool(self._found)

    def take(self) -> SentencePiece:
        """What there is to say next. Call it once `ready`."""
        return self._found.popleft()

    def put_back(self, pieces: Iterable[SentencePiece]) -> None:
        """Let `pieces` be taken again, before all others."""
        self._found = deque([*pieces, *self._found])
