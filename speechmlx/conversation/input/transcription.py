"""The transcript of a turn: live while the person speaks where the model can, else recognised whole from a pause on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from speechmlx.audio.resample import resample
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.input.buffer import RATE
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import SpeechError, Unsupported
from speechmlx.models.spec import Model
from speechmlx.runtime.channel import Channel
from speechmlx.types import Audio, Hypothesis, Kind, LanguageDetected, Listen, Priority, Segment, Transcribe, Word

if TYPE_CHECKING:
    from speechmlx.types import Samples

ONE_PASS = 30.0
"""Seconds that a recogniser takes at once. A longer turn is not recognised again at each of its pauses."""
SHORTEST = 0.1
"""Seconds of audio below which there are no words in it."""


@dataclass(frozen=True)
class Transcript:
    """The words of a turn. Times of `words` are seconds of the session's audio."""

    text: str
    words: tuple[Word, ...] = ()
    """Empty where the turn was recognised whole and its settings ask for no word times."""
    language: str | None = None
    """ISO 639-1 code; None: not known."""
    language_probability: float | None = None
    logprobs: tuple[tuple[bytes, float], ...] = ()
    """UTF-8 of each token and its log-probability, where the settings ask for them."""


@dataclass(frozen=True)
class TranscriptUpdate:
    """A step of a transcript: `text` and `committed` are new and final, `tail` replaces the unsure words before."""

    text: str
    committed: tuple[Word, ...] = ()
    tail: tuple[Word, ...] = ()
    language: str | None = None
    language_probability: float | None = None


OnUpdate = Callable[[TranscriptUpdate], None]


def no_update(update: TranscriptUpdate) -> None:
    """For transcripts of which only the end counts."""


class Transcriber:
    """Recognises the turns of a session. `can_live` is False once the model has refused a stream."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.settings = Transcription()
        self.can_live = True

    @property
    def live(self) -> bool:
        """Whether words can come while the person speaks; a live stream has no log-probabilities."""
        return self.can_live and not self.settings.logprobs

    @property
    def model(self) -> Model:
        """Raises UnknownModel where there is no default."""
        return model_or_default(self.engines, self.settings.model, Kind.ASR)

    async def transcribe(self, audio: Audio, start: float, on_update: OnUpdate) -> Transcript:
        """The transcript of `audio`, which begins `start` seconds into the session. Raises SpeechErrors."""
        if audio.duration < SHORTEST:
            return Transcript("")
        settings, model = self.settings, self.model
        samples = audio.samples
        if audio.rate != model.rate:
            samples = await asyncio.to_thread(resample, samples, audio.rate, model.rate)
        request = Transcribe(
            model=model.name,
            audio=Audio(samples, model.rate),
            language=settings.language,
            languages=settings.languages,
            prompt=settings.prompt,
            hotwords=settings.keywords,
            words=settings.words,
            logprobs=settings.logprobs,
            priority=Priority.REALTIME,
        )
        result, logprobs = Transcript(""), list[tuple[bytes, float]]()
        async with self.engines.submit(request) as job:
            async for event in job:
                if isinstance(event, Segment):
                    text, words = event.text if result.text else event.text.lstrip(), shifted(event.words, start)
                    result = replace(result, text=result.text + text, words=result.words + words)
                    logprobs += event.logprobs
                    on_update(TranscriptUpdate(text, words, (), result.language, result.language_probability))
                elif isinstance(event, LanguageDetected):
                    result = replace(result, language=event.language, language_probability=event.probability)
        return replace(result, text=result.text.strip(), logprobs=tuple(logprobs))


def shifted(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    """The words, all later by `seconds`."""
    return tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in words)


class TurnTranscription:
    """The transcript of one turn, which begins `start` seconds into the session.

    `feed` takes its audio as it comes: only then can its words come live. `finish` takes the whole audio and gives the
    transcript. `flush` ends a part of it early. `on_update` gets the words as they are known. `priority` is that of
    the live stream.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        on_update: OnUpdate = no_update,
        start: float = 0.0,
        priority: Priority = Priority.REALTIME,
    ) -> None:
        self.start = start
        self._transcriber = transcriber
        self._on_update = on_update
        self._priority = priority
        self._flushed: list[asyncio.Task[Transcript]] = []
        self._part = _Part(transcriber, on_update, start, priority)

    @property
    def part_start(self) -> float:
        """Where the audio begins that `guess` and `flush` take: seconds into the session."""
        return self._part.start

    @property
    def is_guessing(self) -> bool:
        """Whether the turn may be over, and is being recognised as if it were."""
        return self._part.is_guessing

    def feed(self, samples: Samples) -> None:
        """The next audio of the turn, at RATE. Never waits."""
        self._part.feed(samples)

    def guess(self, audio: Audio, answers: bool) -> Awaitable[Transcript] | None:
        """The turn may end with `audio`: its transcript if it does. `finish` uses it.

        None: it is not worth recognising now, as nothing `answers` or the turn is long.
        """
        return self._part.guess(audio, answers) if not self._flushed else None

    def resume(self) -> None:
        """The turn goes on: drop the guess."""
        self._part.resume()

    async def flush(self, audio: Audio) -> None:
        """Commit every word of `audio`, which is what came since `part_start`; then go on. Raises SpeechErrors."""
        part = self._part
        self._part = _Part(self._transcriber, self._on_update, part.start + audio.duration, self._priority)
        self._part.continues = True
        self._flushed.append(asyncio.create_task(part.finish(audio)))
        await asyncio.shield(self._flushed[-1])

    async def finish(self, audio: Audio) -> Transcript:
        """The turn was `audio`: its transcript. Raises SpeechErrors. Call `cancel` when this has ended."""
        parts = [await task for task in self._flushed]
        rest = audio.samples[round((self._part.start - self.start) * audio.rate) :]
        parts.append(await self._part.finish(Audio(rest, audio.rate)))
        return joined(parts)

    def cancel(self) -> None:
        """Stop: nobody needs more of its words."""
        for task in self._flushed:
            task.cancel()
        self._part.cancel()


def joined(parts: list[Transcript]) -> Transcript:
    """The transcripts of consecutive parts as one."""
    known = next((part for part in parts if part.language is not None), parts[0])
    return Transcript(
        " ".join(part.text for part in parts if part.text),
        tuple(word for part in parts for word in part.words),
        known.language,
        known.language_probability,
        tuple(logprob for part in parts for logprob in part.logprobs),
    )


class _Part:
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
        self._live: asyncio.Task[Transcript] | None = None
        self._guess: asyncio.Task[Transcript] | None = None

    @property
    def is_guessing(self) -> bool:
        return self._guess is not None

    def feed(self, samples: Samples) -> None:
        begins, self._fed = not self._fed, True
        if begins and self._transcriber.live and self._transcriber.model.rate == RATE:
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
        settings, transcriber = self._transcriber.settings, self._transcriber
        request = Listen(
            model=transcriber.model.name,
            language=settings.language,
            languages=settings.languages,
            prompt=settings.prompt,
            priority=self._priority,
        )
        result = Transcript("")
        async with transcriber.engines.submit(request).fed_by(audio) as job:
            try:
                async for event in job:
                    if isinstance(event, Hypothesis):
                        words, tail = shifted(event.committed, self.start), shifted(event.tail, self.start)
                        text = "".join(word.text for word in words)
                        text = text if self._text else text.lstrip()
                        result = replace(result, words=result.words + words)
                        self._report(TranscriptUpdate(text, words, tail, result.language, result.language_probability))
                    elif isinstance(event, LanguageDetected):
                        result = replace(result, language=event.language, language_probability=event.probability)
            except Unsupported:
                transcriber.can_live = False
                raise
        return replace(result, text=self._text.strip())


def _retrieve_error(task: asyncio.Task[Transcript]) -> None:
    """`finish` reports the error. Nobody waits for it when the turn was dropped."""
    if not task.cancelled():
        task.exception()
