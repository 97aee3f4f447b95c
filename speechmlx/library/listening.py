"""AsyncListening: live speech in, words out as soon as they are final."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from speechmlx.conversation.events import Event, Failed, TranscriptFailed
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.library.live import AsyncLive, Opener
from speechmlx.library.live_words import LiveWords
from speechmlx.types import Hypothesis

MAX_UNREAD = 100_000
"""Words that may wait to be read: those of half a day."""


class AsyncListening(AsyncLive[TranscriptionSession, Hypothesis]):
    """Feed audio, and iterate for the words: each `Hypothesis` has those that are final since the last one, each once,
    and the unsure words after them, which replace those before.

    Times are seconds of the audio that was fed. What is not read is joined, so a slow reader gets fewer of them. An
    error of the models is raised once, by the iteration or `finish`; the session goes on.
    """

    def __init__(self, open_session: Opener[TranscriptionSession], on_close: Callable[[Any], None]) -> None:
        super().__init__(open_session, on_close)
        self._words = LiveWords()
        self._unread: Hypothesis | None = None
        self._error: SpeechError | None = None
        self._news = asyncio.Event()
        self._over = False
        self._reading: asyncio.Task[None] | None = None

    async def finish(self) -> None:
        """No more audio comes. Returns when all of it is recognised; the words can still be read.

        Raises the SpeechError that the iteration has not raised.
        """
        await super().finish()
        if self._reading is not None:
            await asyncio.shield(self._reading)
        self._raise()

    async def close(self) -> None:
        """End it at once: what is not recognised is dropped, and iteration ends. May be called again."""
        await super().close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def __anext__(self) -> Hypothesis:
        if self._session is None:
            self._running()
        while True:
            self._raise()
            if self._unread is not None:
                hypothesis, self._unread = self._unread, None
                return hypothesis
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def _begin(self, session: TranscriptionSession) -> None:
        self._reading = asyncio.create_task(self._read(session))

    async def _read(self, session: TranscriptionSession) -> None:
        try:
            async for event in session.events():
                self._take(event)
        finally:
            self._words.finish()
            self._publish()
            self._over = True
            self._news.set()

    def _take(self, event: Event) -> None:
        if isinstance(event, Failed | TranscriptFailed):
            self._error = self._error or event.error
            self._news.set()
        self._words.add(event)
        self._publish()

    def _publish(self) -> None:
        """Give out what has changed, together with what was not read."""
        if self._words.changed:
            words, before = self._words.take(), self._unread
            committed = words.committed if before is None else before.committed + words.committed
            self._unread = Hypothesis(committed, words.tail)
            self._news.set()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _check_unread(self, size: int) -> None:
        if self._unread is not None and len(self._unread.committed) > MAX_UNREAD:
            raise BadRequest(f"{MAX_UNREAD} words wait to be read: iterate over the session while it is fed")
