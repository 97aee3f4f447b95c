"""Whether repeated text is repeated speech: pure rules on the places in the audio that tokens attend to.

A place is one position of the encoder's output, 20 ms. Repetition alone proves nothing: a model also finds its own loop
likely, and the timestamps of a loop advance over noise as they do over speech. But the attention of a loop jumps back
and forth, while the attention of speech advances.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

FALL = 5
"""Places by which attention may fall back from one token to the next."""
FALLS = 0.15
"""Share of tokens that fall back further, above which a text does not follow the audio."""
ROUNDS = 1.0
"""How far all these tokens may fall back in sum, relative to the span of all places."""
APART = 15
"""Places between the beginnings of two repetitions, at least, in a text that does not follow the audio."""
LONGEST_UNIT = 24
"""Tokens of a repetition, at most."""


def follows(places: Sequence[int]) -> bool:
    """Whether the attention of consecutive tokens advances through the audio."""
    falls = [before - place for before, place in pairwise(places) if before - place > FALL]
    span = max(places, default=0) - min(places, default=0)
    return len(falls) <= FALLS * len(places) and sum(falls) <= ROUNDS * span


def unrepeated(tokens: Sequence[int], places: Sequence[int], follow: bool) -> list[int]:
    """Indices of `tokens` without repetitions that are not in the audio.

    In a text that follows the audio (`follow`), a repetition goes when it attends to the same places as the tokens it
    repeats. In a text that does not, it goes unless it attends to later places.
    """
    kept: list[int] = []
    index = 0
    while index < len(tokens):
        size = _repetition(tokens, kept, index)
        now, before = places[index : index + size], [places[place] for place in kept[len(kept) - size :]]
        if not size:
            kept.append(index)
        elif follow and any(abs(place - other) > FALL for place, other in zip(now, before, strict=True)):  # noqa: SIM114
            kept += range(index, index + size)
        elif not follow and now[0] >= max(before[0] + APART, max(places[i] for i in kept) - FALL):
            kept += range(index, index + size)
        index += size or 1
    return kept


def _repetition(tokens: Sequence[int], kept: Sequence[int], index: int) -> int:
    """How many tokens from `index` on repeat the last tokens kept; 0 if none do."""
    for size in range(1, min(LONGEST_UNIT, len(kept), len(tokens) - index) + 1):
        if all(tokens[last] == tokens[index + offset] for offset, last in enumerate(kept[-size:])):
            return size
    return 0
