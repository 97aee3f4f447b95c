"""Commit policies, AlignAtt and LocalAgreement-2: pure rules on decoded words. A place is 20 ms of audio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MARGIN = 25
"""Places. A word attended closer than this to the end of the audio may still change."""
SETTLED = 50
"""Places. A last word attended further than this from the end is complete: silence follows it."""
BACK = 10
"""Places before the end of a word at which the next word may be attended."""
LONGEST_PHRASE = 12
"""Words of a phrase whose repetition is noticed."""
UNSURE = 0.4
"""A word with less confidence needs SETTLED: more audio often turns it into another word."""


@dataclass(frozen=True)
class AttendedWord:
    """A word and its tokens, the places of the earliest and the latest token, the place where the word ends."""

    text: str
    tokens: tuple[int, ...]
    first: int
    last: int
    end: int
    confidence: float


Policy = Callable[[Sequence[AttendedWord], Sequence[AttendedWord], int], int]
"""(words of this pass, tail of the pass before, places of audio) → how many of the words to commit."""


def alignatt(words: Sequence[AttendedWord], before: Sequence[AttendedWord], places: int) -> int:
    """Commit words attended at least MARGIN before the end of the audio; unsure words and the last need SETTLED."""
    count = 0
    for index, word in enumerate(words):
        margin = SETTLED if index == len(words) - 1 or word.confidence < UNSURE else MARGIN
        if word.last > places - margin or "�" in word.text:
            break
        count += 1
    return count


def local_agreement(words: Sequence[AttendedWord], before: Sequence[AttendedWord], places: int) -> int:
    """Commit the longest common beginning of two passes in a row."""
    count = 0
    for word, earlier in zip(words, before, strict=False):
        if _bare(word.text) != _bare(earlier.text) or "�" in word.text:
            break
        count += 1
    return count


def _bare(text: str) -> str:
    return text.strip().strip(".,!?;:。，！？").lower()


POLICIES: dict[str, Policy] = {"alignatt": alignatt, "localagreement": local_agreement}


def repeated(texts: Sequence[str]) -> int:
    """How many words at the end repeat the words before them: one word at least twice more, or a phrase once more.

    People repeat themselves, too: `unheard` tells whether they did.
    """
    bare = [_bare(text) for text in texts]
    most = 0
    for size in range(1, LONGEST_PHRASE + 1):
        again = next((i for i in range(len(bare) - size) if bare[-1 - i] != bare[-1 - i - size]), len(bare) - size)
        if again >= (size if size > 1 else 2):
            most = max(most, again)
    return most


def unheard(words: Sequence[AttendedWord], again: int, end: int) -> int:
    """How many words at the end to drop: from the first repeated word on that is attended before the word it follows.

    The last `again` words repeat others. `end` is the place where the word before `words` ended.
    """
    for index, word in enumerate(words):
        if index >= len(words) - again and word.first < end - BACK:
            return len(words) - index
        end = word.last
    return 0
