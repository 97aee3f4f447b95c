"""OpenAI's formats of a transcript: json, verbose_json, diarized_json, text, srt and vtt; and RTTM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speechmlx.languages import name
from speechmlx.protocols.http.transcript_formats import as_segment, as_srt, as_vtt, labelled
from speechmlx.recognition import RecognitionResult
from speechmlx.types import Segment, Usage, Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json", "rttm")
DIARIZED = ("diarized_json", "rttm")
"""The formats that need to know the speakers."""
UNKNOWN = "unknown"
"""The speaker of words where diarization hears nobody."""
TEXT = "text/plain; charset=utf-8"
"""The type of text, srt and vtt. It is OpenAI's: older SDKs parse any other type as JSON."""


def as_json(result: RecognitionResult, logprobs: bool = False) -> dict[str, Any]:
    """{"text", "usage", "languages"}, and "logprobs" if `logprobs`."""
    answer: dict[str, Any] = {"text": result.text, "usage": duration(result), "languages": languages(result)}
    if logprobs:
        answer["logprobs"] = all_logprobs(result.segments)
    return answer


def as_verbose(result: RecognitionResult, granularities: Sequence[str]) -> dict[str, Any]:
    """The transcript with the segments and words that `granularities` name; empty: the segments."""
    answer: dict[str, Any] = {
        "task": result.task,
        "language": name(result.text_language),
        "duration": round(result.duration, 2),
        "text": result.text,
        "usage": duration(result),
    }
    if "word" in granularities:
        answer["words"] = [as_word(word) for word in result.words]
    if "segment" in granularities or not granularities:
        answer["segments"] = [as_segment(number, segment) for number, segment in enumerate(result.segments)]
    return answer


def as_word(word: Word) -> dict[str, Any]:
    """A word without spaces around it, and its speaker where speakers are told apart; times in seconds."""
    timed: dict[str, Any] = {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
    return timed if word.speaker is None else {**timed, "speaker": word.speaker}


def as_diarized(result: RecognitionResult) -> dict[str, Any]:
    """The transcript as segments of one speaker each; its text has a line for each time that somebody speaks."""
    lines: list[tuple[str, str]] = []
    for segment in result.segments:
        speaker, text = segment.speaker or UNKNOWN, segment.text.strip()
        if lines and lines[-1][0] == speaker:
            lines[-1] = (speaker, f"{lines[-1][1]} {text}")
        else:
            lines.append((speaker, text))
    return {
        "task": result.task,
        "duration": round(result.duration, 2),
        "text": "\n".join(f"{speaker}: {text}" for speaker, text in lines),
        "segments": [as_diarized_segment(number, segment) for number, segment in enumerate(result.segments, 1)],
        "usage": duration(result),
    }


def as_diarized_segment(number: int, segment: Segment) -> dict[str, Any]:
    """A segment of diarized_json, which is an event of a stream too."""
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03}",
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text.strip(),
        "speaker": segment.speaker or UNKNOWN,
    }


def as_text(result: RecognitionResult) -> str:
    """Plain text with a line end; a line for each segment, with its speaker, where speakers are told apart."""
    if any(segment.speaker for segment in result.segments):
        return "".join(f"{labelled(segment).strip()}\n" for segment in result.segments)
    return result.text + "\n"


TEXTS = {"text": as_text, "srt": as_srt, "vtt": as_vtt}


def duration(result: RecognitionResult) -> dict[str, Any]:
    """Usage in seconds of the recording."""
    return {"type": "duration", "seconds": round(result.duration, 2)}


def tokens(usage: Usage) -> dict[str, Any]:
    """Usage in tokens."""
    total = usage.tokens_in + usage.tokens_out
    return {
        "type": "tokens",
        "input_tokens": usage.tokens_in,
        "output_tokens": usage.tokens_out,
        "total_tokens": total,
    }


def languages(result: RecognitionResult) -> list[Mapping[str, str]]:
    """The text's language, if it is known."""
    return [{"code": result.text_language}] if result.text_language else []


def all_logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """The log-probability of each token, in order."""
    return [
        {"token": piece.decode("utf-8", "replace"), "bytes": list(piece), "logprob": round(logprob, 6)}
        for segment in segments
        for piece, logprob in segment.logprobs
    ]
