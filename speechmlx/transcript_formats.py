"""A recognition's result as text, subtitles, RTTM and OpenAI's JSON, and its parts as Whisper's own JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.languages import name
from speechmlx.recognition import RecognitionResult
from speechmlx.speakers import SpeakerNames
from speechmlx.types import Segment, SpeakerTurn, Word

FRAMES_PER_SECOND = 100
"""Rate of `seek`."""
FORMATS = ("text", "json", "verbose_json", "srt", "vtt", "tsv", "rttm")
"""The formats of `formatted`."""


def formatted(result: RecognitionResult, format: str, file: str = "") -> str:
    """The whole text of a transcript in one of FORMATS, with speakers called SPEAKER_00, SPEAKER_01, ...

    `file` is the name of the recording, which RTTM repeats. json has the text, verbose_json the segments too, and the
    words where they are timed. Raises BadRequest for another format, and for RTTM where speakers were not told apart.
    """
    texts = {"text": as_text, "srt": as_srt, "vtt": as_vtt, "tsv": as_tsv}
    if format not in FORMATS:
        raise BadRequest(f"there is no format {format!r:.80} of transcripts; the formats are {', '.join(FORMATS)}")
    if format == "rttm" and not result.turns and result.segments:
        raise BadRequest("rttm says who speaks when, and the speakers of this recording were not told apart (diarize)")
    result = _named(result)
    if format == "rttm":
        return as_rttm(result.turns, file)
    if format in texts:
        return texts[format](result)
    granularities = ("segment", "word") if result.words else ("segment",)
    answer = as_json(result) if format == "json" else as_verbose(result, granularities)
    return json.dumps(answer, ensure_ascii=False, indent=2) + "\n"


def _named(result: RecognitionResult) -> RecognitionResult:
    """The result with other names of speakers. A known speaker keeps the name, unless it is a number."""
    names = SpeakerNames(numbered=True)
    segments = [named for segment in result.segments if isinstance(named := names.apply(segment), Segment)]
    turns = [replace(turn, speaker=names.name(turn.speaker)) for turn in result.turns]
    return replace(result, segments=segments, turns=turns)


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
        **heard_besides(segment),
    }


def heard_besides(said: Segment | RecognitionResult) -> dict[str, str]:
    """ "emotion" and "sound", where the model tells them."""
    found = {"emotion": said.emotion, "sound": said.sound}
    return {name: value for name, value in found.items() if value is not None}


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
    recording = "_".join(file.split()) or "file"
    return "".join(
        f"SPEAKER {recording} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> "
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


def as_text(result: RecognitionResult) -> str:
    """Plain text with a line end; a line for each segment, with its speaker, where speakers are told apart."""
    if any(segment.speaker for segment in result.segments):
        return "".join(f"{labelled(segment).strip()}\n" for segment in result.segments)
    return result.text + "\n"


def as_tsv(result: RecognitionResult) -> str:
    """Tab-separated values: start and end in milliseconds, and the text of each segment, under a line of names."""
    rows = (
        f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t{' '.join(labelled(segment).split())}\n"
        for segment in result.segments
    )
    return "".join(["start\tend\ttext\n", *rows])


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
        answer["words"] = [_timed_word(word) for word in result.words]
    if "segment" in granularities or not granularities:
        answer["segments"] = [as_segment(number, segment) for number, segment in enumerate(result.segments)]
    return answer


def duration(result: RecognitionResult) -> dict[str, Any]:
    """Usage in seconds of the recording."""
    return {"type": "duration", "seconds": round(result.duration, 2)}


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


def _timed_word(word: Word) -> dict[str, Any]:
    """A word without spaces around it, and its speaker where speakers are told apart; times in seconds."""
    timed: dict[str, Any] = {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
    return timed if word.speaker is None else {**timed, "speaker": word.speaker}
