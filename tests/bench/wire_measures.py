"""What a streamed recording is judged by: word errors, and how late each word was shown and was final.

A word is late by the seconds from when the piece of audio with its end was sent to when a client had it. Where words
end is told by a reference: our recogniser's own word times in the whole recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import jiwer
import numpy as np
from whisper_normalizer.english import EnglishTextNormalizer
from wire_clients import RATE, Streamed

SLACK = 8
"""Words beyond the shown ones in which a match of them is looked for."""
LAG_LIMIT = 1.0
"""Seconds that words may come later under load than alone, at the 95th percentile, where a session is carried."""
WORDS_LIMIT = 0.9
"""Share of the words heard alone that have to come under load."""


@dataclass(frozen=True)
class Timed:
    """A word of the reference; `end`: seconds from the recording's start."""

    word: str
    end: float


@dataclass(frozen=True)
class Delays:
    """Seconds late by index of the reference's word. Words that were never final are missing in `final`."""

    shown: dict[int, float]
    final: dict[int, float]
    never_final: int
    """Words shown at the end that were not final."""
    taken_back: int
    """Words that were final, and changed."""


def bare(text: str) -> list[str]:
    """The words of a text without case and punctuation."""
    words = ("".join(letter for letter in word.lower() if letter.isalnum()) for word in text.split())
    return [word for word in words if word]


def delays(streamed: Streamed, piece: int, reference: Sequence[Timed]) -> Delays:
    """`piece`: samples of audio in each message that was sent."""
    said, when_shown, when_final, taken_back = _history(streamed)
    shown, final = {}, {}
    for told, heard in _pairs([one.word for one in reference], said):
        sent = streamed.sent[min(int(reference[told].end * RATE) // piece, len(streamed.sent) - 1)]
        if heard in when_shown:
            shown[told] = when_shown[heard] - sent
        if heard in when_final:
            final[told] = when_final[heard] - sent
    return Delays(shown, final, len(said) - len(when_final), taken_back)


def _history(streamed: Streamed) -> tuple[list[str], dict[int, float], dict[int, float], int]:
    """The words at the end; when each, by its index, was first shown and became final; how many final ones changed."""
    said = bare(streamed.last.final) + bare(streamed.last.tail)
    shown: dict[int, float] = {}
    finals: list[tuple[str, float]] = []
    taken_back = 0
    for state in streamed.shown:
        words, tail = bare(state.final), bare(state.tail)
        kept = _common(words, finals)
        taken_back += len(finals) - kept
        finals[kept:] = [(word, state.when) for word in words[kept:]]
        ahead = said[len(words) : len(words) + len(tail) + SLACK]
        seen = [index for index, (word, at_end) in enumerate(zip(words, said, strict=False)) if word == at_end]
        seen += [len(words) + there for _, there in _pairs(tail, ahead)]
        for index in seen:
            shown.setdefault(index, state.when)
    return said, shown, {index: when for index, (_, when) in enumerate(finals)}, taken_back


def _common(words: Sequence[str], finals: Sequence[tuple[str, float]]) -> int:
    count = 0
    for word, (known, _) in zip(words, finals, strict=False):
        if word != known:
            break
        count += 1
    return count


def _pairs(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Indices of the words that both have, in order."""
    for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks():
        yield from ((block.a + i, block.b + i) for i in range(block.size))


def word_errors(pairs: Sequence[tuple[str, str]]) -> float:
    """Share of wrong words over all (what was said, what was heard)."""
    normal = EnglishTextNormalizer()
    return float(jiwer.wer([normal(said) for said, _ in pairs], [normal(heard) for _, heard in pairs]))


def keeps_up(shown: dict[int, float], words: int) -> bool:
    """Whether one session hears half of the recording's `words`, and keeps its pace.

    That is, the words of the second half come no more than LAG_LIMIT later than those of the first.
    """
    late = [shown[index] for index in sorted(shown)]
    half = len(late) // 2
    return half > 0 and len(late) * 2 > words and float(np.median(late[half:]) - np.median(late[:half])) < LAG_LIMIT


def lag(alone: dict[int, float], crowd: Sequence[dict[int, float]]) -> float | None:
    """95th percentile of how much later words are shown in the sessions of `crowd` than `alone`, in seconds.

    None where a session has lost words.
    """
    later = [session[index] - alone[index] for session in crowd for index in session.keys() & alone.keys()]
    if any(len(session.keys() & alone.keys()) < WORDS_LIMIT * len(alone) for session in crowd):
        return None
    return float(np.percentile(later, 95))


def added(streamed: Streamed) -> list[float]:
    """Seconds from the newest message of audio to each time that more words were shown.

    That is the server's own time where the models take none, as long as it is less than the time between two messages.
    """
    counts = [len(bare(f"{state.final} {state.tail}")) for state in streamed.shown]
    states = zip(streamed.shown, counts, [0, *counts], strict=False)
    grown = [state.when for state, count, before in states if count > before]
    return [when - max(sent for sent in streamed.sent if sent <= when) for when in grown if when < streamed.end]
