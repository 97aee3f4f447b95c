"""Recognition of whole recordings: one way to run it, and one collector of its events, for every protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from speechmlx.runtime.front.job import Job
from speechmlx.types import Event, LanguageDetected, Request, Segment, Transcribe, Usage, Word


class Submitter(Protocol):
    """What recognition needs of the runtime."""

    def submit(self, request: Request) -> Job:
        """Start a job. Raises UnknownModel, Busy and Draining."""


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


async def recognise(runtime: Submitter, request: Transcribe) -> AsyncGenerator[Event, None]:
    """Recognise the speech of a recording: LanguageDetected, Segment*, Usage.

    Close the generator (`contextlib.aclosing`) to cancel the work. Raises the SpeechError that a job failed with.
    """
    async with runtime.submit(request) as job:
        async for event in job:
            yield event


async def recognise_all(runtime: Submitter, request: Transcribe) -> RecognitionResult:
    """Recognise the whole recording. Raises the SpeechError that a job failed with."""
    result = RecognitionResult(request.audio.duration, request.task)
    async with aclosing(recognise(runtime, request)) as events:
        async for event in events:
            result.add(event)
    return result
