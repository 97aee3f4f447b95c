"""What the STT families of the package return, in one form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from speechmlx.reading.written import UNSPACED
from speechmlx.types import Word

MARK = re.compile(r"<\|[^<>|]{1,40}\|>")
"""A mark such as <|HAPPY|>, which some models write among the words: what it says is no word."""
EMOTIONS = {name: name for name in ("happy", "sad", "angry", "neutral", "fearful", "disgusted", "surprised")}
SOUNDS = {"speech": "speech", "bgm": "music", "laughter": "laughter", "applause": "applause"}
"""What a family's `emotion` and `event` are here; other values say that it does not know."""
UNTOLD = ("auto", "none", "unknown", "nospeech")
"""Languages that are none."""


@dataclass(frozen=True)
class HeardPart:
    """A stretch of recognised speech; seconds from the start of the window."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    emotion: str | None = None
    sound: str | None = None
    """As in `Segment`."""


@dataclass(frozen=True)
class HeardSpeech:
    """All that was recognised in one window."""

    parts: tuple[HeardPart, ...]
    language: str | None = None


def heard(result: Any, duration: float, timed: bool = True) -> HeardSpeech:
    """`result` of a family's `generate` for a window of `duration` seconds.

    Families return text, an object with `text` and perhaps `segments` (dictionaries), or sentences of timed tokens.
    `timed` is False where the times of the segments are not those of the speech: the text has the whole window then.
    """
    if isinstance(result, str):
        return HeardSpeech((HeardPart(result, 0.0, duration),))
    if isinstance(result, (list, tuple)):
        return HeardSpeech(tuple(part for item in result for part in heard(item, duration, timed).parts))
    sentences = getattr(result, "sentences", None)
    if sentences is not None:
        return HeardSpeech(tuple(_sentence(item) for item in sentences if item.tokens), _language(result))
    found = getattr(result, "segments", None)
    if found and timed:
        parts = [_segment(item, duration) for item in found]
        if any(part.text.strip() for part in parts):
            return HeardSpeech(tuple(parts), _language(result))
    return HeardSpeech((HeardPart(str(getattr(result, "text", "")), 0.0, duration),), _language(result))


def _sentence(sentence: Any) -> HeardPart:
    return HeardPart(sentence.text, float(sentence.start), float(sentence.end), joined(sentence.tokens))


def joined(tokens: Iterable[Any]) -> tuple[Word, ...]:
    """Words of timed tokens."""
    words: list[Word] = []
    for token in tokens:
        text = token.text.replace("▁", " ")
        if words and not begins_word(text, words[-1].text):
            last = words[-1]
            words[-1] = Word(last.text + text, last.start, float(token.end), last.confidence)
        else:
            words.append(Word(text, float(token.start), float(token.end), 1.0))
    return tuple(word for word in words if word.text.strip())


def begins_word(text: str, before: str) -> bool:
    """Whether a token begins a word: by its blank, or because the words of its script stand together."""
    if not text or not before.strip():
        return False
    if text[0].isspace() or UNSPACED.match(text):
        return True
    return bool(UNSPACED.match(before[-1])) and text[0].isalnum()


def _segment(segment: Any, duration: float) -> HeardPart:
    get = segment.get if isinstance(segment, dict) else lambda name, other=None: getattr(segment, name, other)
    start, end = get("start"), get("end")
    words = tuple(_word(word) for word in get("words") or ())
    speaker = get("speaker")
    if speaker is None:
        speaker = get("speaker_id")
    first = float(start) if start is not None else 0.0
    text = MARK.sub("", str(get("text") or ""))
    return HeardPart(
        text.removeprefix(f"[{speaker}]"),  # a family that names the speaker in the text too
        first,
        float(end) if end is not None and end > first else duration,  # some families say 0 for "unknown"
        words,
        None if speaker is None else str(speaker),
        EMOTIONS.get(str(get("emotion")).lower()),
        SOUNDS.get(str(get("event")).lower()),
    )


def _word(word: Any) -> Word:
    get = word.get if isinstance(word, dict) else lambda name, other=None: getattr(word, name, other)
    text = str(get("word") or get("text") or "")
    probability = get("probability")
    return Word(text, float(get("start") or 0.0), float(get("end") or 0.0), 1.0 if probability is None else probability)


def _language(result: Any) -> str | None:
    language = getattr(result, "language", None)
    if isinstance(language, (list, tuple)):
        language = language[0] if language else None
    return str(language) if language and str(language).lower() not in UNTOLD else None
