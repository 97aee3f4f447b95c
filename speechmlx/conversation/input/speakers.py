"""Who says the words of a session: a diarization stream beside the recogniser, and its turns joined to the words."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from speechmlx.conversation.engines import Engines
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.speakers import main_speaker
from speechmlx.types import DiarizeStream, SpeakerOptions, SpeakerTurn, Word

if TYPE_CHECKING:
    from speechmlx.conversation.input.transcript import OnUpdate, TranscriptUpdate
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

REMEMBERED = 120.0
"""Seconds that speaker turns are kept behind the newest one: words come later than the audio by less."""
PATIENCE = 2.0
"""Seconds of the wall clock that the words at the end of a turn wait for their speaker."""


class SpeakerTracker:
    """The speakers of one session so far. Words have no speaker once diarization failed; `on_error` gets the error.

    Times are seconds into the session; the audio that is fed begins at `start`.
    """

    def __init__(
        self, engines: Engines, options: SpeakerOptions, on_error: Callable[[SpeechError], None], start: float = 0.0
    ) -> None:
        self.until = start
        """Seconds into the session up to which speakers are known."""
        self.listeners: set[Callable[[], None]] = set()
        """Called when `until` has grown, or will not grow any more."""
        self.failed = False
        self._start = start
        """Seconds into the session at which the stream began."""
        self._engines = engines
        self._options = options
        self._on_error = on_error
        self._turns: deque[SpeakerTurn] = deque()
        self._audio: Channel[Samples] = Channel()
        self._tracking: asyncio.Task[None] | None = None

    def feed(self, samples: Samples) -> None:
        """The next audio of the session, at RATE. Never waits."""
        if self._tracking is None:
            self._tracking = asyncio.create_task(self._track())
        self._audio.put(samples)

    def end(self) -> None:
        """No more audio comes: the rest is decided now."""
        self._audio.end()

    def speaker(self, start: float, end: float) -> str | None:
        """Who talks for most of the time from `start` to `end`, else who talks next to it; None where nobody does."""
        return main_speaker(start, end, (turn for turn in self._turns if turn.speaker))

    async def close(self) -> None:
        """Stop."""
        if self._tracking is not None:
            self._tracking.cancel()
            await asyncio.gather(self._tracking, return_exceptions=True)

    async def _track(self) -> None:
        request = DiarizeStream(speakers=self._options)
        try:
            async with self._engines.submit(request).fed_by(self._audio) as job:
                async for event in job:
                    if isinstance(event, SpeakerTurn):
                        self._add(SpeakerTurn(self._start + event.start, self._start + event.end, event.speaker))
            self.until = float("inf")
        except SpeechError as error:
            self._fail(error)
        except Exception:
            log.exception("telling speakers apart failed")
            self._fail(EngineFailed("telling speakers apart failed; the server's log has more"))
        self._tell()

    def _add(self, turn: SpeakerTurn) -> None:
        self._turns.append(turn)
        self.until = turn.end
        while self._turns[0].end < turn.end - REMEMBERED:
            self._turns.popleft()
        self._tell()

    def _fail(self, error: SpeechError) -> None:
        self.failed = True
        self._audio.end()
        self._on_error(error)

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()


class SpeakerAttribution:
    """Holds back the committed words of one turn until their speaker is known. Updates go on to `on_update`."""

    def __init__(self, tracker: SpeakerTracker, on_update: OnUpdate) -> None:
        self._tracker = tracker
        self._on_update = on_update
        self._waiting: deque[Word] = deque()
        self._update: TranscriptUpdate | None = None
        """The newest update."""
        self._any = False
        """Whether text was given out."""
        self._speakers: dict[tuple[float, float], str | None] = {}
        self._progress = asyncio.Event()
        tracker.listeners.add(self._on_progress)

    def update(self, update: TranscriptUpdate) -> None:
        """A step of the transcript."""
        if update.text and not update.committed:  # text without times has no speaker
            self._release(everything=True)
            self._any = True
            self._on_update(update)
            return
        self._update = update
        self._waiting.extend(update.committed)
        self._release()

    async def settle(self) -> None:
        """Give out what waits: wait PATIENCE for the speakers, then take the best guess."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self._waiting and not self._tracker.failed:
                    self._progress.clear()
                    self._release()
                    if self._waiting:
                        await self._progress.wait()
        except TimeoutError:
            log.debug("speakers are not known in time")
        self._release(everything=True)

    def attributed(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """The words of the whole turn with the speakers that they were given out with."""
        return tuple(
            replace(word, speaker=self._speakers.get((word.start, word.end)) or self._speaker(word)) for word in words
        )

    def close(self) -> None:
        """Listen to the tracker no more."""
        self._tracker.listeners.discard(self._on_progress)

    def _on_progress(self) -> None:
        self._progress.set()
        self._release()

    def _speaker(self, word: Word) -> str | None:
        return None if self._tracker.failed else self._tracker.speaker(word.start, word.end)

    def _release(self, everything: bool = False) -> None:
        update = self._update
        if update is None:
            return
        known: list[Word] = []
        everything = everything or self._tracker.failed
        while self._waiting and (everything or self._waiting[0].end <= self._tracker.until):
            word = self._waiting.popleft()
            known.append(replace(word, speaker=self._speaker(word)))
            self._speakers[word.start, word.end] = known[-1].speaker
        text = "".join(word.text for word in known)
        if not self._any:
            text = text.lstrip()
        self._any = self._any or bool(text)
        self._on_update(replace(update, text=text, committed=tuple(known), unattributed=tuple(self._waiting)))
