"""What was heard in a recording, gathered from a job's events and written as subtitles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from speechmlx.protocols.http.routing import Call
from speechmlx.types import Event, LanguageDetected, Segment, Transcribe, Usage, Word

FRAMES_PER_SECOND = 100
"""Of `seek`."""


@dataclass
class Transcript:
    """What was heard so far of `duration` seconds."""

    duration: float
    task: str = "transcribe"
    language: LanguageDetected | None = None
    segments: list[Segment] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def code(self) -> str | None:
        """The language of the text: a translation's is English."""
        if self.task == "translate":
            return "en"
        return None if self.language is None else self.language.language

    def take(self, event: Event) -> None:
        """Add what the model said."""
        if isinstance(event, Segment):
            self.segments.append(event)
        elif isinstance(event, LanguageDetected):
            self.language = event
        elif isinstance(event, Usage):
            self.usage = event


async def hear(call: Call, request: Transcribe) -> Transcript:
    """All that is heard in the recording of `request`. Raises what its job fails with."""
    heard = Transcript(request.audio.duration, request.task)
    job = await call.stack.enter_async_context(call.runtime.submit(request))
    async for event in job:
        heard.take(event)
    return heard


def as_segment(number: int, segment: Segment) -> dict[str, Any]:
    """The segment with the keys that Whisper's own JSON has."""
    return {
        "id": number,
        "seek": round(segment.start * FRAMES_PER_SECOND),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": round(segment.avg_logprob, 6),
        "compression_ratio": round(segment.compression_ratio, 6),
        "no_speech_prob": round(segment.no_speech_prob, 6),
    }


def as_word(word: Word) -> dict[str, Any]:
    """The word as Whisper's own JSON has it: with the blank before it, and its probability."""
    return {
        "word": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "probability": round(word.confidence, 4),
    }


def as_srt(heard: Transcript, first: int = 1) -> str:
    """SubRip: cues numbered from `first`, hours always there, a comma before the milliseconds."""
    cues = (
        f"{number}\n{clock(segment.start, ',')} --> {clock(segment.end, ',')}\n{_line(segment.text)}\n"
        for number, segment in enumerate(heard.segments, first)
    )
    return "\n".join(cues)


def as_vtt(heard: Transcript) -> str:
    """WebVTT: cues without numbers, a full stop before the milliseconds."""
    cues = (
        f"{clock(segment.start, '.')} --> {clock(segment.end, '.')}\n{_escaped(_line(segment.text))}\n"
        for segment in heard.segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def clock(seconds: float, point: str) -> str:
    """HH:MM:SS and milliseconds after `point`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _line(text: str) -> str:
    """One line: an empty one would end the cue."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
