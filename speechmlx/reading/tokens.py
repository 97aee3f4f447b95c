"""What reading makes of a text: words as they are said, and pauses between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word as it is said."""

    text: str
    """Lower case but for names as they are written: "twenty", "don't", "c" for a letter."""
    start: int
    end: int
    """The characters of the input that it stands for: text[start:end]. Words of one token share them."""
    is_letter: bool = False
    """Said by the name of the letter: the "a" of "Vitamin A"."""
    phonemes: str | None = None
    """Given by a lexicon, by SSML or by `[word](/phonemes/)`."""
    emphasis: int = 0
    """-1 reduced, 1 strong."""
    rate: float = 1.0
    """Of speech, against the voice's own: 2.0 is twice as fast (SSML's prosody)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A boundary between words: the mark that a voice reads it by, or a length that was asked for."""

    mark: str
    """One of , ; : . ! ? … — ( ) “ ” or "" for a break that has a length alone."""
    start: int
    end: int
    seconds: float | None = None
    """Of silence, where it was asked for (SSML's break)."""


Token = SpokenWord | Pause
