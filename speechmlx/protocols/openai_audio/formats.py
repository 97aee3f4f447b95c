"""The formats of a transcript that OpenAI's API names, and those that only it has: diarized_json and events."""

from __future__ import annotations

from typing import Any

from speechmlx.recognition import RecognitionResult
from speechmlx.transcript_formats import as_srt, as_text, as_vtt, duration
from speechmlx.types import Segment, Usage

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json", "rttm")
DIARIZED = ("diarized_json", "rttm")
"""The formats that need to know the speakers."""
UNKNOWN = "unknown"
"""The speaker of words where diarization hears nobody."""
TEXT = "text/plain; charset=utf-8"
"""The type of text, srt and vtt. It is OpenAI's: older SDKs parse any other type as JSON."""


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


TEXTS = {"text": as_text, "srt": as_srt, "vtt": as_vtt}


def tokens(usage: Usage) -> dict[str, Any]:
    """Usage in tokens."""
    total = usage.tokens_in + usage.tokens_out
    return {
        "type": "tokens",
        "input_tokens": usage.tokens_in,
        "output_tokens": usage.tokens_out,
        "total_tokens": total,
    }
