"""When a heard word may be said for good: AlignAtt and LocalAgreement-2, as pure rules on what was heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MARGIN = 25
"""Places of 20 ms: a word heard closer than this to the end of the audio may still change."""
SETTLED = 50
"""A last word heard further than this from the end is whole: silence follows it."""
BACK = 10
"""Places before the end of a word where the next may be heard."""
UNSURE = 0.4
"""A word less probable than this waits until it is settled: more audio often makes another of it."""


@dataclass(frozen=True)
class Heard:
    """A word, its tokens, the places where its first and its last token were heard, and where it ended."""

    text: str
    tokens: tuple[int, ...]
    first: int
    last: int
    end: int
    confidence: float


Policy = Callable[[Sequence[Heard], Sequence[Heard], int], int]
"""(heard now, heard in the pass before, places of audio) → how many of the words to commit."""


def alignatt(heard: Sequence[Heard], before: Sequence[Heard], places: int) -> int:
    """Words whose attention keeps off the end of the audio, unsure ones and the last, which may go on, further off."""
    count = 0
    for index, word in enumerate(heard):
        margin = SETTLED if index == len(heard) - 1 or word.confidence < UNSURE else MARGIN
        if word.last > places - margin or "�" in word.text:
            break
        count += 1
    return count


def local_agreement(heard: Sequence[Heard], before: Sequence[Heard], places: int) -> int:
    """The longest common beginning of two passes in a row."""
    count = 0
    for word, earlier in zip(heard, before, strict=False):
        if _bare(word.text) != _bare(earlier.text) or "�" in word.text:
            break
        count += 1
    return count


def _bare(text: str) -> str:
    return text.strip().strip(".,!?;:。，！？").lower()


POLICIES: dict[str, Policy] = {"alignatt": alignatt, "localagreement": local_agreement}


def repeated(words: Sequence[str]) -> int:
    """How many words at the end only say again what was said before them.

    One word eight times, or a phrase of up to eight words three times in at least twelve, is no speech.
    """
    bare = [_bare(word) for word in words]
    for size in range(1, 9):
        again = next((i for i in range(len(bare) - size) if bare[-1 - i] != bare[-1 - i - size]), len(bare) - size)
        if again + size >= size * max(3, 8 if size == 1 else -(-12 // size)):
            return again
    return 0


def unheard(heard: Sequence[Heard], again: int, end: int) -> int:
    """How many of the last `again` words, which repeat, come after one that was not heard after what was said before.

    `end` is the place where the word before all of them ended.
    """
    for index, word in enumerate(heard):
        if index >= len(heard) - again and word.first < end - BACK:
            return len(heard) - index
        end = word.last
    return 0
