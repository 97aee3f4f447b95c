"""Whether what a text says again was said again: pure rules on the places of the audio its tokens were heard at.

Places are of 20 ms. Repetition alone tells nothing: a loop is likely to the model as well, and its timestamps move on
over noise as over speech. But a loop looks here and there, while what is said is heard one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

FALL = 5
"""Places the next token may be heard before the one it follows."""
FALLS = 0.15
"""Share of tokens heard further back than that from which on a text does not follow the audio."""
ROUNDS = 1.0
"""How many times the way that was heard in all tokens may have fallen back, together."""
APART = 15
"""Places between two beginnings of what is said twice, at least, where a text has stopped to follow the audio."""
LONGEST_UNIT = 24
"""Tokens of what is looked at for being said again."""


def follows(places: Sequence[int]) -> bool:
    """Whether tokens heard at these places were heard one after the other, and not over and over."""
    falls = [before - place for before, place in pairwise(places) if before - place > FALL]
    span = max(places, default=0) - min(places, default=0)
    return len(falls) <= FALLS * len(places) and sum(falls) <= ROUNDS * span


def unrepeated(tokens: Sequence[int], places: Sequence[int], follow: bool) -> list[int]:
    """Indices of `tokens` without those that say again what stands before them and were not heard again.

    Of a text that does `follow` the audio those are left out that were heard where what they repeat was heard; of one
    that does not, all that were not heard after it.
    """
    kept: list[int] = []
    index = 0
    while index < len(tokens):
        size = _again(tokens, kept, index)
        said, before = places[index : index + size], [places[one] for one in kept[len(kept) - size :]]
        if not size:
            kept.append(index)
        elif follow and any(abs(one - other) > FALL for one, other in zip(said, before, strict=True)):  # noqa: SIM114
            kept += range(index, index + size)
        elif not follow and said[0] >= max(before[0] + APART, max(places[one] for one in kept) - FALL):
            kept += range(index, index + size)
        index += size or 1
    return kept


def _again(tokens: Sequence[int], kept: Sequence[int], index: int) -> int:
    """How many tokens from `index` on are the last of those kept once more; none: 0."""
    for size in range(1, min(LONGEST_UNIT, len(kept), len(tokens) - index) + 1):
        if all(tokens[place] == tokens[index + one] for one, place in enumerate(kept[-size:])):
            return size
    return 0
