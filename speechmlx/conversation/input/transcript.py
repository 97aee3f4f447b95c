"""The transcript of a turn, and a step of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from speechmlx.types import Word


@dataclass(frozen=True)
class Transcript:
    """The words of a turn. Times of `words` are seconds of the session's audio."""

    text: str
    words: tuple[Word, ...] = ()
    """Empty where the turn was recognised whole and its settings ask for no word times."""
    language: str | None = None
    """ISO 639-1 code; None: not known."""
    language_probability: float | None = None
    logprobs: tuple[tuple[bytes, float], ...] = ()
    """UTF-8 of each token and its log-probability, where the settings ask for them."""


@dataclass(frozen=True)
class TranscriptUpdate:
    """A step of a transcript: `text` and `committed` are new and final, `tail` replaces the unsure words before."""

    text: str
    committed: tuple[Word, ...] = ()
    tail: tuple[Word, ...] = ()
    language: str | None = None
    language_probability: float | None = None
    unattributed: tuple[Word, ...] = ()
    """Words between `committed` and `tail` that are final and come as `committed` once their speaker is known."""


OnUpdate = Callable[[TranscriptUpdate], None]


def no_update(update: TranscriptUpdate) -> None:
    """For transcripts of which only the end counts."""


def shifted(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    """The words, all later by `seconds`."""
    return tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in words)


def joined(parts: list[Transcript]) -> Transcript:
    """The transcripts of consecutive parts as one."""
    known = next((part for part in parts if part.language is not None), parts[0])
    return Transcript(
        " ".join(part.text for part in parts if part.text),
        tuple(word for part in parts for word in part.words),
        known.language,
        known.language_probability,
        tuple(logprob for part in parts for logprob in part.logprobs),
    )
