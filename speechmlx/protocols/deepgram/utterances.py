"""Words of a recording → utterances, and paragraphs of sentences. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from speechmlx.protocols.deepgram.words import WordSpelling, confidence, rounded, speaker_number, spelt
from speechmlx.reading.sentences import sentences
from speechmlx.types import Word

PAUSE = 2.0
"""Seconds of silence between two sentences that begin a new paragraph."""
MAX_SENTENCES = 5
"""Sentences of the longest paragraph."""


def with_speakers(words: Sequence[Word]) -> list[Word]:
    """The words, each with a speaker: one whose speaker is not known has that of the word before, or else after it.

    Where no speaker is known, the words as they are.
    """
    last = next((word.speaker for word in words if word.speaker is not None), None)
    found = []
    for word in words:
        last = last if word.speaker is None else word.speaker
        found.append(replace(word, speaker=last))
    return found


def utterances(words: Sequence[Word], spelling: WordSpelling, channel: int, split: float) -> list[dict[str, Any]]:
    """Stretches of words without a silence of `split` seconds, each of one speaker.

    `words`: after `with_speakers` and `spelling.words`.
    """
    return [
        {
            "start": rounded(part[0].start),
            "end": rounded(part[-1].end),
            "confidence": confidence(part),
            "channel": channel,
            "transcript": spelling.transcript(part),
            "words": spelt(part),
            **speaker_of(part),
            "id": str(uuid.uuid4()),
        }
        for part in _parts(words, split)
    ]


def paragraphs(words: Sequence[Word], spelling: WordSpelling) -> dict[str, Any]:
    """{"transcript", "paragraphs"}. A paragraph has one speaker, no PAUSE between sentences, and MAX_SENTENCES at most.

    `words`: after `with_speakers` and `spelling.words`.
    """
    found = [_paragraph(part, spelling) for part in _grouped(sentence_words(words))]
    texts = (_speaker_label(entry) + " ".join(one["text"] for one in entry["sentences"]) for entry in found)
    return {"transcript": "".join(f"\n{text}\n" for text in texts).rstrip("\n"), "paragraphs": found}


def sentence_words(words: Sequence[Word]) -> list[list[Word]]:
    """The words of each sentence, and of each speaker's part of it."""
    text = "".join(word.text for word in words)
    ends = list(accumulate(len(piece) for piece in sentences(text)))
    found: list[list[Word]] = []
    position, index, last = 0, 0, -1
    for word in words:
        begin = position + len(word.text) - len(word.text.lstrip())
        while index + 1 < len(ends) and begin >= ends[index]:
            index += 1
        if index != last or (found and _other_speaker(found[-1][-1], word)):
            found.append([])
        found[-1].append(word)
        position, last = position + len(word.text), index
    return found


def speaker_of(words: Sequence[Word]) -> dict[str, int]:
    """{"speaker": number} of words of one speaker; {} where speakers are not told apart."""
    found = speaker_number(words[0].speaker)
    return {} if found is None else {"speaker": found}


def _parts(words: Sequence[Word], split: float) -> Iterator[list[Word]]:
    part: list[Word] = []
    for word in words:
        if part and (word.start - part[-1].end >= split or _other_speaker(part[-1], word)):
            yield part
            part = []
        part.append(word)
    if part:
        yield part


def _grouped(parts: Sequence[list[Word]]) -> Iterator[list[list[Word]]]:
    """The sentences of each paragraph."""
    group: list[list[Word]] = []
    for part in parts:
        if group and (
            len(group) >= MAX_SENTENCES
            or part[0].start - group[-1][-1].end >= PAUSE
            or _other_speaker(group[-1][-1], part[0])
        ):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _paragraph(parts: Sequence[list[Word]], spelling: WordSpelling) -> dict[str, Any]:
    words = [word for part in parts for word in part]
    return {
        "sentences": [
            {"text": spelling.transcript(part), "start": rounded(part[0].start), "end": rounded(part[-1].end)}
            for part in parts
        ],
        **speaker_of(words),
        "num_words": len(words),
        "start": rounded(words[0].start),
        "end": rounded(words[-1].end),
    }


def _speaker_label(paragraph: dict[str, Any]) -> str:
    return f"Speaker {paragraph['speaker']}: " if "speaker" in paragraph else ""


def _other_speaker(one: Word, other: Word) -> bool:
    return one.speaker != other.speaker
