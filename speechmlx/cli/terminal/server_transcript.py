"""A server's verbose_json and RTTM → the result of a recognition, whose other formats are written here. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

from speechmlx import languages
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment, SpeakerTurn, Word

UNKNOWN = languages.name(None)
"""The language where nobody says one."""


def read_transcript(found: Mapping[str, Any]) -> RecognitionResult:
    """The result that a verbose_json tells."""
    result = RecognitionResult(float(found["duration"]), found["task"])
    language = found.get("language")
    if result.task == "transcribe" and language not in (None, UNKNOWN):  # that of a translation is English
        result.language = LanguageDetected(languages.code(language) or language, 1.0)
    words = [_word(word) for word in found.get("words", ())]
    for number, entry in enumerate(found["segments"], 1):
        end = float(entry["end"])
        first = next((n for n, word in enumerate(words) if word.start >= end), len(words))
        count = len(words) if number == len(found["segments"]) else first  # times are rounded: no word is left over
        result.segments.append(_segment(entry, words[:count]))
        words = words[count:]
    return result


def read_turns(rttm: str) -> list[SpeakerTurn]:
    """Who speaks when, from the lines of RTTM."""
    turns = []
    for line in rttm.splitlines():
        fields = line.split()
        start, length, name = float(fields[3]), float(fields[4]), fields[7]
        number = name.removeprefix("SPEAKER_")
        turns.append(SpeakerTurn(start, start + length, str(int(number)) if number.isdecimal() else name))
    return turns


def speaker_number(name: str | None) -> str | None:
    """The number of the speaker A, B, ..., Z, AA, ...; another name, and None, as they are."""
    if not name or not set(name) <= set(ascii_uppercase):
        return name
    number = 0
    for letter in name:
        number = 26 * number + ascii_uppercase.index(letter) + 1
    return str(number - 1)


def _word(entry: Mapping[str, Any]) -> Word:
    return Word(f" {entry['word']}", entry["start"], entry["end"], 0.0, speaker_number(entry.get("speaker")))


def _segment(entry: Mapping[str, Any], words: Sequence[Word]) -> Segment:
    numbers = {
        name: entry[name]
        for name in ("temperature", "avg_logprob", "compression_ratio", "no_speech_prob", "emotion", "sound")
        if name in entry
    }
    segment = Segment(entry["text"], float(entry["start"]), float(entry["end"]), 0.0, tuple(words), **numbers)
    return replace(segment, tokens=tuple(entry.get("tokens", ())), speaker=speaker_number(entry.get("speaker")))
