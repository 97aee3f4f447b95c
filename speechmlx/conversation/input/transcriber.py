"""The recogniser of a session: its settings, and the recognition of audio that is there as a whole."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from speechmlx.audio.resample import resample
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.input.transcript import OnUpdate, Transcript, TranscriptUpdate, shifted
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import SpeechError, Unsupported
from speechmlx.models.spec import Model
from speechmlx.recognition import timed, word_aligner
from speechmlx.types import Audio, Kind, LanguageDetected, Priority, Segment, Transcribe

log = logging.getLogger(__name__)

SHORTEST = 0.1
"""Seconds of audio below which there are no words in it."""


class Transcriber:
    """Recognises the turns of a session. `can_live` is False once the model has refused a stream."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.settings = Transcription()
        self.can_live = True
        self._lacks_aligner = False
        """Whether the log has said so."""

    @property
    def live(self) -> bool:
        """Whether words can come while the person speaks; a live stream has no log-probabilities."""
        return self.can_live and not self.settings.logprobs

    @property
    def model(self) -> Model:
        """Raises UnknownModel where there is no default."""
        return model_or_default(self.engines, self.settings.model, Kind.ASR)

    @property
    def live_model(self) -> Model:
        """The model of live streams, which is `model` where the client named it. Raises UnknownModel."""
        return model_or_default(self.engines, self.settings.model, Kind.ASR, live=True)

    @property
    def recognises_again(self) -> bool:
        """Whether a turn's transcript comes from its whole audio, though its words came live."""
        return self.settings.whole and self.live_model.name != self.model.name

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
            task=settings.task,
            prompt=settings.prompt,
            hotwords=settings.keywords,
            words=settings.words or settings.speakers is not None,
            logprobs=settings.logprobs,
            priority=Priority.REALTIME,
        )
        aligner, result, logprobs = self._aligner(request), Transcript(""), list[tuple[bytes, float]]()
        async with self.engines.submit(request) as job:
            async for event in job:
                if isinstance(event, Segment):
                    if aligner is not None:
                        event = await self._timed(aligner, request, event, settings.language or result.language)
                    text, words = event.text if result.text else event.text.lstrip(), shifted(event.words, start)
                    result = replace(result, text=result.text + text, words=result.words + words)
                    logprobs += event.logprobs
                    on_update(TranscriptUpdate(text, words, (), result.language, result.language_probability))
                elif isinstance(event, LanguageDetected):
                    result = replace(result, language=event.language, language_probability=event.probability)
        return replace(result, text=result.text.strip(), logprobs=tuple(logprobs))

    def _aligner(self, request: Transcribe) -> Model | None:
        """The model that gives times to the words of a recogniser that tells none; None: there is no need, or no model.

        Then the turn has its text without times of words, which the log says once.
        """
        try:
            return word_aligner(self.engines, request, useful=False)
        except Unsupported as error:
            if not self._lacks_aligner:
                log.warning("turns have no times of words: %s", error)
            self._lacks_aligner = True
            return None

    async def _timed(self, aligner: Model, request: Transcribe, segment: Segment, language: str | None) -> Segment:
        """`segment` with the times of its words; without them where the aligner fails, as for a language it lacks."""
        try:
            return await timed(self.engines, aligner, request, segment, language)
        except SpeechError as error:
            log.warning("a turn has no times of words: %s", error)
            return segment
