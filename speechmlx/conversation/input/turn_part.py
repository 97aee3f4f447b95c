"""A turn, or what of it lies between two flushes: its words live, or recognised whole from a pause on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Self

import numpy as np

from speechmlx.conversation.input.buffer import RATE
from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import OnUpdate, Transcript, TranscriptUpdate, no_update, shifted
from speechmlx.errors import EngineLost, SpeechError, Unsupported
from speechmlx.runtime.channel import Channel
from speechmlx.runtime.front.job import Job
from speechmlx.types import Audio, Hypothesis, LanguageDetected, Listen, Priority, Word

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

ONE_PASS = 30.0
"""Seconds that a recogniser takes at once. A longer turn is not recognised again at each of its pauses."""
MAX_REPLAYS = 3
"""Times that a turn goes on in a new live stream after the engine process ended."""
MAX_REPLAYED = 30.0
"""Seconds of audio kept for that, at most: a recogniser commits what is older."""


class Replay:
    """Audio for a live stream, kept from the end of the last committed word on: another stream can go on from there.

    Iterate over it to feed a stream. `rewind` before the next stream is fed. Times are seconds of its own audio.
    """

    def __init__(self, audio: Channel[Samples]) -> None:
        self.begin = 0.0
        """Where the stream under way began."""
        self._audio = audio
        self._kept: deque[Samples] = deque()
        self._kept_start = 0
        """Samples before the kept ones."""
        self._next = 0
        """Index in `_kept` of the piece that is fed next."""

    def fed(self, pieces: int = 0) -> float:
        """Seconds given out so far, without the last `pieces`."""
        count = max(0, self._next - pieces)
        return (self._kept_start + sum(len(piece) for piece in islice(self._kept, count))) / RATE

    def forget_before(self, position: float) -> None:
        """Drop what was given out and lies before `position`, or is older than MAX_REPLAYED."""
        cut = round(max(position, self.fed() - MAX_REPLAYED) * RATE)
        while self._next and self._kept_start < cut:
            piece, rest = np.split(self._kept.popleft(), [cut - self._kept_start])
            self._kept_start += len(piece)
            if len(rest):
                self._kept.appendleft(rest)
            else:
                self._next -= 1

    def rewind(self) -> None:
        """Begin again with the oldest audio that is kept."""
        self._next = 0
        self.begin = self._kept_start / RATE

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Samples:
        if self._next == len(self._kept):
            self._kept.append(await anext(self._audio))
        self._next += 1
        return self._kept[self._next - 1]


class TurnPart:
    """A turn, or what of it lies between two flushes."""

    def __init__(self, transcriber: Transcriber, on_update: OnUpdate, start: float, priority: Priority) -> None:
        self.start = start
        self.continues = False
        """Text came before it: its own begins with a space."""
        self._transcriber = transcriber
        self._on_update = on_update
        self._priority = priority
        self._text = ""
        self._fed = False
        self._audio: Channel[Samples] | None = None
        self._replay: Replay | None = None
        self._job: Job | None = None
        self._heard = Transcript("")
        """What live recognition has found so far."""
        self._live: asyncio.Task[Transcript] | None = None
        self._guess: asyncio.Task[Transcript] | None = None

    @property
    def is_guessing(self) -> bool:
        return self._guess is not None

    @property
    def transcribed(self) -> float:
        if self._replay is None or self._job is None:
            return self.start
        return self.start + self._replay.fed(self._job.unconsumed)

    def feed(self, samples: Samples) -> None:
        begins, self._fed = not self._fed, True
        if begins and self._transcriber.live and self._transcriber.live_model.rate == RATE:
            self._audio = Channel()
            self._live = asyncio.create_task(self._listen(self._audio))
            self._live.add_done_callback(_retrieve_error)
        if self._audio is not None:
            self._audio.put(samples)

    def guess(self, audio: Audio, answers: bool) -> Awaitable[Transcript] | None:
        self.resume()
        if self._live is not None and not self._live.done() and (not answers or audio.duration > ONE_PASS):
            return None
        self._guess = asyncio.create_task(self._transcriber.transcribe(audio, self.start, no_update))
        self._guess.add_done_callback(_retrieve_error)
        return self._guess

    def resume(self) -> None:
        if self._guess is not None:
            self._guess.cancel()
            self._guess = None

    async def finish(self, audio: Audio) -> Transcript:
        if self._guess is not None:
            with contextlib.suppress(SpeechError):  # an error that was no accident comes again
                return self._report_rest(await self._guess)
        elif self._live is not None and self._transcriber.recognises_again:
            self._live.cancel()
        elif self._live is not None and self._audio is not None:
            self._audio.end()
            try:
                return await self._live
            except Unsupported:
                self._transcriber.can_live = False
        if self._text:
            return self._report_rest(await self._transcriber.transcribe(audio, self.start, no_update))
        return await self._transcriber.transcribe(audio, self.start, self._report)

    def cancel(self) -> None:
        for task in (self._live, self._guess):
            if task is not None:
                task.cancel()

    def _report(self, update: TranscriptUpdate) -> None:
        if self.continues and not self._text and update.text:
            update = replace(update, text=" " + update.text)
        self._text += update.text
        self._on_update(update)

    def _report_rest(self, transcript: Transcript) -> Transcript:
        """Report what of `transcript` comes after the words that were reported live, where it begins with them."""
        text = self._text.rstrip()
        if transcript.text.startswith(text) and (rest := transcript.text[len(text) :]):
            words = () if text else transcript.words
            self._report(TranscriptUpdate(rest, words, (), transcript.language, transcript.language_probability))
        return transcript

    async def _listen(self, audio: Channel[Samples]) -> Transcript:
        """The words as they come. When the engine process ends, a new stream goes on after the last committed word.

        Raises EngineLost after MAX_REPLAYS, and at once where it says when to try again: the process does not come up.
        """
        self._replay = Replay(audio)
        for replays in range(MAX_REPLAYS + 1):
            try:
                await self._stream(self._replay)
            except EngineLost as error:
                if replays == MAX_REPLAYS or error.retry_after is not None:
                    raise
                self._replay.rewind()
                log.warning("%s; the turn goes on from %.1f s of its audio", error, self._replay.begin)
            except Unsupported:
                self._transcriber.can_live = False
                raise
            else:
                break
        return replace(self._heard, text=self._text.strip())

    async def _stream(self, replay: Replay) -> None:
        """One live stream."""
        settings, start = self._transcriber.settings, self.start + replay.begin
        request = Listen(
            model=self._transcriber.live_model.name,
            language=settings.language or self._heard.language,
            languages=settings.languages,
            task=settings.task,
            prompt=settings.prompt,
            hotwords=settings.keywords,
            priority=self._priority,
        )
        async with self._transcriber.engines.submit(request).fed_by(replay) as job:
            self._job = job
            async for event in job:
                if isinstance(event, Hypothesis):
                    self._take(shifted(event.committed, start), shifted(event.tail, start))
                    if event.committed:
                        replay.forget_before(replay.begin + event.committed[-1].end)
                elif isinstance(event, LanguageDetected):
                    self._heard = replace(self._heard, language=event.language, language_probability=event.probability)

    def _take(self, words: tuple[Word, ...], tail: tuple[Word, ...]) -> None:
        """Report a step of live recognition."""
        heard = self._heard = replace(self._heard, words=self._heard.words + words)
        text = "".join(word.text for word in words)
        text = text if self._text else text.lstrip()
        self._report(TranscriptUpdate(text, words, tail, heard.language, heard.language_probability))


def _retrieve_error(task: asyncio.Task[Transcript]) -> None:
    """`finish` reports the error. Nobody waits for it when the turn was dropped."""
    if not task.cancelled():
        task.exception()
