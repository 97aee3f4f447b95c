"""Transcripts as OpenAI writes them: json, verbose_json, text, srt and vtt; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from speechmlx.languages import name
from speechmlx.types import LanguageDetected, Segment, Usage, Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
TEXT = "text/plain; charset=utf-8"
"""The type of text, srt and vtt, which is OpenAI's: older SDKs parse any other as JSON."""
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


def as_json(heard: Transcript, logprobs: bool = False) -> dict[str, Any]:
    """{"text", "usage", "languages"}, with "logprobs" if asked for."""
    answer: dict[str, Any] = {"text": heard.text, "usage": duration(heard), "languages": languages(heard)}
    if logprobs:
        answer["logprobs"] = all_logprobs(heard.segments)
    return answer


def as_verbose(heard: Transcript, granularities: Sequence[str]) -> dict[str, Any]:
    """The transcript with its segments, and with its words if they are among `granularities`."""
    answer: dict[str, Any] = {
        "task": heard.task,
        "language": name(heard.code),
        "duration": round(heard.duration, 2),
        "text": heard.text,
        "usage": duration(heard),
    }
    if "word" in granularities:
        answer["words"] = [as_word(word) for segment in heard.segments for word in segment.words]
    if "segment" in granularities or not granularities:
        answer["segments"] = [as_segment(number, segment) for number, segment in enumerate(heard.segments)]
    return answer


def as_segment(number: int, segment: Segment) -> dict[str, Any]:
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
    return {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}


def as_text(heard: Transcript) -> str:
    return heard.text + "\n"


def as_srt(heard: Transcript) -> str:
    """SubRip: numbered cues, hours always there, a comma before the milliseconds."""
    cues = (
        f"{number}\n{clock(segment.start, ',')} --> {clock(segment.end, ',')}\n{_line(segment.text)}\n"
        for number, segment in enumerate(heard.segments, 1)
    )
    return "\n".join(cues)


def as_vtt(heard: Transcript) -> str:
    """WebVTT: cues without numbers, a full stop before the milliseconds."""
    cues = (
        f"{clock(segment.start, '.')} --> {clock(segment.end, '.')}\n{_escaped(_line(segment.text))}\n"
        for segment in heard.segments
    )
    return "\n".join(["WEBVTT\n", *cues])


TEXTS = {"text": as_text, "srt": as_srt, "vtt": as_vtt}


def clock(seconds: float, point: str) -> str:
    """HH:MM:SS and milliseconds after `point`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _line(text: str) -> str:
    """One line: an empty one would end the cue."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def duration(heard: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(heard.duration, 2)}


def tokens(usage: Usage) -> dict[str, Any]:
    total = usage.tokens_in + usage.tokens_out
    return {
        "type": "tokens",
        "input_tokens": usage.tokens_in,
        "output_tokens": usage.tokens_out,
        "total_tokens": total,
    }


def languages(heard: Transcript) -> list[Mapping[str, str]]:
    return [{"code": heard.code}] if heard.code else []


def all_logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """The log-probability of each token, in order."""
    return [
        {"token": piece.decode("utf-8", "replace"), "bytes": list(piece), "logprob": round(logprob, 6)}
        for segment in segments
        for piece, logprob in segment.logprobs
    ]
