"""Transcripts as OpenAI writes them: json, verbose_json, text, srt and vtt; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speechmlx.languages import name
from speechmlx.protocols.http.transcript_formats import Transcript, as_segment, as_srt, as_vtt
from speechmlx.types import Segment, Usage, Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
TEXT = "text/plain; charset=utf-8"
"""The type of text, srt and vtt, which is OpenAI's: older SDKs parse any other as JSON."""


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


def as_word(word: Word) -> dict[str, Any]:
    return {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}


def as_text(heard: Transcript) -> str:
    return heard.text + "\n"


TEXTS = {"text": as_text, "srt": as_srt, "vtt": as_vtt}


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
