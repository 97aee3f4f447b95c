"""Subtitles of synthesised speech: its words with their times, as cues of SubRip or WebVTT. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from speechmlx.errors import BadRequest
from speechmlx.recognition import RecognitionResult
from speechmlx.transcript_formats import as_srt, as_vtt
from speechmlx.types import Segment, WordTime

CaptionFormat = Literal["srt", "vtt"]
CAPTION_FORMATS: tuple[CaptionFormat, ...] = ("srt", "vtt")
LONGEST_CUE = 84
"""Characters of a cue, at most, but for longer words: two lines of subtitles."""
CUE_SECONDS = 7.0
"""Seconds of a cue, at most, but for longer words."""


def caption_format(name: str) -> CaptionFormat:
    """The format of a name. Raises BadRequest where there is none."""
    for known in CAPTION_FORMATS:
        if name == known:
            return known
    raise BadRequest(f"there is no format {name!r:.80} of subtitles; the formats are {', '.join(CAPTION_FORMATS)}")


def spoken_captions(words: Sequence[WordTime], format: CaptionFormat) -> str:
    """The words as subtitles: a cue for each sentence, or for a part of a long one."""
    result = RecognitionResult(duration=words[-1].end if words else 0.0, segments=cues(words))
    return as_srt(result) if format == "srt" else as_vtt(result)


def cues(words: Sequence[WordTime]) -> list[Segment]:
    """The words in cues. A blank stands between two words where the text has one."""
    from speechmlx.reading.sentences import sentence_ends  # here: it reads dictionaries

    text, starts = _joined(words)
    ends = set(sentence_ends(text))
    found: list[Segment] = []
    first = 0
    for number in range(1, len(words) + 1):
        if number < len(words):
            is_long = len(text[starts[first] : starts[number]]) + len(words[number].text) > LONGEST_CUE
            if not (is_long or starts[number] in ends or words[number].end - words[first].start > CUE_SECONDS):
                continue
        end = starts[number] if number < len(words) else len(text)
        found.append(Segment(text[starts[first] : end].strip(), words[first].start, words[number - 1].end, 1.0))
        first = number
    return found


def _joined(words: Sequence[WordTime]) -> tuple[str, list[int]]:
    """The words as one text, and where each begins in it."""
    parts, starts, length = list[str](), list[int](), 0
    for number, word in enumerate(words):
        blank = " " if number and word.first > words[number - 1].last else ""
        parts += (blank, word.text)
        starts.append(length + len(blank))
        length += len(blank) + len(word.text)
    return "".join(parts), starts
