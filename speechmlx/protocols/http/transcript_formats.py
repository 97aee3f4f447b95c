"""A recognition's result as subtitles or RTTM, and its parts as Whisper's own JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from speechmlx.recognition import RecognitionResult
from speechmlx.types import Segment, SpeakerTurn, Word

FRAMES_PER_SECOND = 100
"""Rate of `seek`."""


def as_segment(number: int, segment: Segment) -> dict[str, Any]:
    """A segment with the keys of Whisper's own JSON. Times are in seconds, `seek` in frames."""
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
        **_speaker(segment),
    }


def as_word(word: Word) -> dict[str, Any]:
    """A word with the keys of Whisper's own JSON: its text with the space before it, and its probability."""
    return {
        "word": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "probability": round(word.confidence, 4),
        **_speaker(word),
    }


def _speaker(spoken: Segment | Word) -> dict[str, str]:
    return {} if spoken.speaker is None else {"speaker": spoken.speaker}


def as_srt(result: RecognitionResult, first: int = 1) -> str:
    """SubRip. Cues are numbered from `first`; times are like 00:00:01,500."""
    cues = (
        f"{number}\n{clock(segment.start, ',')} --> {clock(segment.end, ',')}\n{_line(labelled(segment))}\n"
        for number, segment in enumerate(result.segments, first)
    )
    return "\n".join(cues)


def as_vtt(result: RecognitionResult) -> str:
    """WebVTT. Cues have no numbers; times are like 00:00:01.500."""
    cues = (
        f"{clock(segment.start, '.')} --> {clock(segment.end, '.')}\n{_escaped(_line(labelled(segment)))}\n"
        for segment in result.segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def as_rttm(turns: Iterable[SpeakerTurn], file: str) -> str:
    """RTTM, NIST's format of who speaks when: a line for each turn. Spaces in names become underscores."""
    name = "_".join(file.split()) or "file"
    return "".join(
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> "
        f"{'_'.join(turn.speaker.split())} <NA> <NA>\n"
        for turn in turns
    )


def labelled(segment: Segment) -> str:
    """The text, after its speaker in brackets where speakers are told apart."""
    return segment.text if segment.speaker is None else f"[{segment.speaker}]: {segment.text.strip()}"


def clock(seconds: float, point: str) -> str:
    """A time as HH:MM:SS, and after `point` the milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _line(text: str) -> str:
    """The text on one line, because an empty line would end the cue."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
