"""The words of one turn: live while the person speaks where the model can, else recognised from a pause on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechmlx.audio.resample import resample
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.input.buffer import RATE
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import SpeechError, Unsupported
from speechmlx.models.spec import Model
from speechmlx.runtime.channel import Channel
from speechmlx.types import Audio, Hypothesis, Kind, LanguageDetected, Listen, Priority, Segment, Transcribe

if TYPE_CHECKING:
    from speechmlx.types import Samples

ONE_PASS = 30.0
"""Seconds that a recogniser takes at once: of a longer turn a pause is no time to hear it all again."""
SHORTEST = 0.1
"""Seconds of audio below which there are no words in it."""


@dataclass(frozen=True)
class Transcript:
    """What was said, in a `language` by its code; `logprobs` of its tokens, UTF-8 each, where they were asked for."""

    text: str
    language: str | None = None
    logprobs: tuple[tuple[bytes, float], ...] = ()


class Transcriber:
    """What a session's turns are recognised with. `can_live` is False once the model said it cannot."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.settings = Transcription()
        self.can_live = True

    @property
    def live(self) -> bool:
        """Whether words can come while the person speaks; a stream has no log-probabilities to tell."""
        return self.can_live and not self.settings.logprobs

    @property
    def model(self) -> Model:
        return model_or_default(self.engines, self.settings.model, Kind.ASR)

    async def whole(self, audio: Audio, say: Callable[[str], None]) -> Transcript:
        """All words of `audio`; `say` has each segment's as it comes. Raises SpeechErrors."""
        if audio.duration < SHORTEST:
            return Transcript("")
        given, model = self.settings, self.model
        rate = model.rate
        samples = audio.samples
        if audio.rate != rate:
            samples = await asyncio.to_thread(resample, samples, audio.rate, rate)
        request = Transcribe(
            model=model.name,
            audio=Audio(samples, rate),
            language=given.language,
            languages=given.languages,
            prompt=given.prompt,
            hotwords=given.keywords,
            logprobs=given.logprobs,
            priority=Priority.REALTIME,
        )
        text, spoken, logprobs = "", None, list[tuple[bytes, float]]()
        async with self.engines.submit(request) as job:
            async for event in job:
                if isinstance(event, Segment):
                    said = event.text if text else event.text.lstrip()
                    text += said
                    logprobs += event.logprobs
                    say(said)
                elif isinstance(event, LanguageDetected):
                    spoken = event.language
        return Transcript(text.strip(), spoken, tuple(logprobs))


class TurnTranscription:
    """One turn. `feed` takes its audio as it comes (and only then can it be live), `finish` begins the end.

    `say` is told words that will not change, as they become known; with `priority`, while the person speaks.
    """

    def __init__(
        self, recogniser: Transcriber, say: Callable[[str], None], priority: Priority = Priority.REALTIME
    ) -> None:
        self._recogniser = recogniser
        self._say = say
        self._priority = priority
        self._said = ""
        self._inbox: Channel[Samples] | None = None
        self._live: asyncio.Task[Transcript] | None = None
        self._guess: asyncio.Task[Transcript] | None = None
        self._fed = False

    def feed(self, samples: Samples) -> None:
        """The next audio of the turn, at RATE. Never waits."""
        begins, self._fed = not self._fed, True
        if begins and self._recogniser.live and self._recogniser.model.rate == RATE:
            self._inbox = Channel()
            self._live = asyncio.create_task(self._listen(self._inbox))
            self._live.add_done_callback(_seen)
        if self._inbox is not None:
            self._inbox.put(samples)

    @property
    def guesses(self) -> bool:
        """Whether the turn may be over, and its words are being found out for that."""
        return self._guess is not None

    def guess(self, audio: Audio, answers: bool) -> Awaitable[Transcript] | None:
        """The turn may end with `audio`: its words, if it does; `finish` will find them done.

        A live stream has not heard the last of them yet. None: to hear them a second time is not worth it, where
        nothing `answers` or the turn is long.
        """
        self.resume()
        if self._live is not None and not self._live.done() and (not answers or audio.duration > ONE_PASS):
            return None
        self._guess = asyncio.create_task(self._recogniser.whole(audio, lambda said: None))
        self._guess.add_done_callback(_seen)
        return self._guess

    def resume(self) -> None:
        """It did not end there."""
        if self._guess is not None:
            self._guess.cancel()
            self._guess = None

    async def finish(self, audio: Audio) -> Transcript:
        """The turn was `audio`: all its words. Raises SpeechErrors. `cancel` it when this has ended."""
        if self._guess is not None:
            with contextlib.suppress(SpeechError):  # if it was not by chance, it comes again
                return self._tell_rest(await self._guess)
        elif self._live is not None and self._inbox is not None:
            self._inbox.end()
            try:
                return await self._live
            except Unsupported:
                self._recogniser.can_live = False
        if self._said:
            return self._tell_rest(await self._recogniser.whole(audio, lambda said: None))
        return await self._recogniser.whole(audio, self._tell)

    def _tell_rest(self, words: Transcript) -> Transcript:
        said = self._said.rstrip()
        if words.text.startswith(said):
            self._tell(words.text[len(said) :])
        return words

    def cancel(self) -> None:
        """Nobody wants more of its words."""
        for task in (self._live, self._guess):
            if task is not None:
                task.cancel()

    def _tell(self, said: str) -> None:
        if said:
            self._said += said
            self._say(said)

    async def _listen(self, inbox: Channel[Samples]) -> Transcript:
        given = self._recogniser.settings
        request = Listen(
            model=self._recogniser.model.name,
            language=given.language,
            languages=given.languages,
            prompt=given.prompt,
            priority=self._priority,
        )
        spoken = None
        async with self._recogniser.engines.submit(request).fed_by(inbox) as job:
            try:
                async for event in job:
                    if isinstance(event, Hypothesis):
                        said = "".join(word.text for word in event.committed)
                        self._tell(said if self._said else said.lstrip())
                    elif isinstance(event, LanguageDetected):
                        spoken = event.language
            except Unsupported:
                self._recogniser.can_live = False
                raise
        return Transcript(self._said.strip(), spoken)


def _seen(task: asyncio.Task[Transcript]) -> None:
    """Its error is told by `finish`; a turn that was given up has nobody to tell."""
    if not task.cancelled():
        task.exception()
