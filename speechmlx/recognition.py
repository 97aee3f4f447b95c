"""Recognition of whole recordings: one way to run it, and one collector of its events, for every protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.types import (
    Audio,
    Diarize,
    Event,
    Kind,
    LanguageDetected,
    Request,
    Segment,
    SpeakerTurn,
    Transcribe,
    Usage,
    Word,
)


class Submitter(Protocol):
    """What recognition needs of the runtime."""

    def submit(self, request: Request) -> Job:
        """Start a job. Raises UnknownModel, Busy and Draining."""

    def model(self, name: str | None, kind: Kind | None) -> Model:
        """The row of a name or alias, or the default of `kind`. Raises UnknownModel."""


@dataclass
class RecognitionResult:
    """What was recognised so far in a recording of `duration` seconds."""

    duration: float
    task: str = "transcribe"
    """"transcribe" or "translate"."""
    language: LanguageDetected | None = None
    """The spoken language; None until it is known."""
    segments: list[Segment] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def add(self, event: Event) -> None:
        """Add an event of `recognise`."""
        if isinstance(event, Segment):
            self.segments.append(event)
        elif isinstance(event, LanguageDetected):
            self.language = event
        elif isinstance(event, Usage):
            self.usage = event

    @property
    def text(self) -> str:
        """The text of all segments, without spaces around it."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> list[Word]:
        """The words of all segments; empty where the request did not ask for words."""
        return [word for segment in self.segments for word in segment.words]

    @property
    def spoken_language(self) -> str | None:
        """The code of the spoken language."""
        return None if self.language is None else self.language.language

    @property
    def text_language(self) -> str | None:
        """The code of the text's language, which is English for a translation."""
        return "en" if self.task == "translate" else self.spoken_language

    @property
    def confidence(self) -> float:
        """The mean of the segments' confidence, weighted by their lengths. 0 without speech."""
        total = sum(segment.end - segment.start for segment in self.segments)
        if total <= 0:
            return 0.0
        return sum(segment.confidence * (segment.end - segment.start) for segment in self.segments) / total


async def recognise(runtime: Submitter, request: Transcribe, speakers: bool = False) -> AsyncGenerator[Event, None]:
    """Recognise the speech of a recording: LanguageDetected, Segment*, Usage.

    `speakers`: a diarization model finds who speaks when, and segments and words name their speaker. Close the
    generator (`contextlib.aclosing`) to cancel the work. Raises the SpeechError that a job failed with, and
    UnknownModel where there is no diarization model.
    """
    async with AsyncExitStack() as stack:
        job = await stack.enter_async_context(runtime.submit(request))
        turns: list[SpeakerTurn] = []
        if speakers:
            turns = await _speaker_turns(await stack.enter_async_context(runtime.submit(_diarize(runtime, request))))
        async for event in job:
            yield with_speakers(event, turns) if isinstance(event, Segment) and speakers else event


def _diarize(runtime: Submitter, request: Transcribe) -> Diarize:
    """The same recording, at the rate that the diarization model takes."""
    audio, rate = request.audio, runtime.model(None, Kind.DIARIZE).rate
    if audio.rate != rate:
        from speechmlx.audio.resample import resample  # here: the server starts without numpy

        audio = Audio(resample(audio.samples, audio.rate, rate), rate)
    return Diarize(audio=audio, priority=request.priority)


async def _speaker_turns(job: Job) -> list[SpeakerTurn]:
    return [event async for event in job if isinstance(event, SpeakerTurn)]


def with_speakers(segment: Segment, turns: Sequence[SpeakerTurn]) -> Segment:
    """The segment and its words, each with the speaker who talks for most of it; None where nobody does."""
    words = tuple(replace(word, speaker=_speaker(word.start, word.end, turns)) for word in segment.words)
    return replace(segment, words=words, speaker=_speaker(segment.start, segment.end, turns))


def _speaker(start: float, end: float, turns: Sequence[SpeakerTurn]) -> str | None:
    seconds: dict[str, float] = {}
    for turn in turns:
        if (overlap := min(end, turn.end) - max(start, turn.start)) > 0:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + overlap
    return max(seconds, key=lambda speaker: seconds[speaker]) if seconds else None


async def recognise_all(runtime: Submitter, request: Transcribe) -> RecognitionResult:
    """Recognise the whole recording. Raises the SpeechError that a job failed with."""
    result = RecognitionResult(request.audio.duration, request.task)
    async with aclosing(recognise(runtime, request)) as events:
        async for event in events:
            result.add(event)
    return result
