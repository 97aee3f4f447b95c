"""Tokens of Paraformer → the words of a clip and their times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from speechmlx.engines.paraformer.network import ClipTokens

FRAME = 0.06
"""Seconds of the encoder's frames."""
EARLY = 1.5
"""Frames by which a token begins before the frame in which it is full."""
LONGEST = 12
"""Frames of a token at most; silence follows it."""
NEAR_END = 5
"""Frames: the last token lasts to the end of a clip that ends so soon behind it."""
NO_TEXT = frozenset({"<blank>", "<s>", "</s>", "<unk>", "<OOV>"})
PART = "@@"
"""Ends a token whose word goes on in the next."""


@dataclass(frozen=True)
class HeardWord:
    """A Chinese character, or what is written together in Latin letters and digits. Times in seconds of the clip."""

    text: str
    start: float
    end: float
    logprob: float
    """Mean over its tokens."""


@dataclass(frozen=True)
class _Unit:
    """Some text, and the first and the last of its tokens."""

    text: str
    first: int
    last: int


def words_of(clip: ClipTokens, vocabulary: Sequence[str]) -> list[HeardWord]:
    """The words of a clip."""
    units = _glued(_abbreviated(_joined([vocabulary[token] for token in clip.tokens])))
    spans = _spans(clip, units[-1].last if units else 0)
    return [
        HeardWord(
            unit.text,
            spans[unit.first][0],
            spans[unit.last][1],
            fmean(clip.logprobs[unit.first : unit.last + 1]),
        )
        for unit in units
    ]


def spaced(word: str, before: str) -> bool:
    """Whether there is a space between two words."""
    return word.isascii() and before.isascii() and bool(before)


def confidence(logprobs: Sequence[float]) -> float:
    """exp of the mean; 1 of none."""
    return math.exp(fmean(logprobs)) if logprobs else 1.0


def _joined(tokens: Sequence[str]) -> list[_Unit]:
    """Parts of words are joined, and tokens that are no text are left out."""
    units: list[_Unit] = []
    begun: _Unit | None = None
    for place, token in enumerate(tokens):
        if token in NO_TEXT:
            continue
        unit = _Unit(token.removesuffix(PART), place, place)
        if begun is not None:
            unit = _Unit(begun.text + unit.text, begun.first, place)
        begun = unit if token.endswith(PART) else None
        if begun is None:
            units.append(unit)
    return [*units, begun] if begun is not None else units


def _abbreviated(units: Sequence[_Unit]) -> list[_Unit]:
    """Letters that follow each other are an abbreviation, in capitals."""
    found: list[_Unit] = []
    letters = False
    for unit in units:
        letter = len(unit.text) == 1 and unit.text.isascii() and unit.text.isalpha()
        if letter and letters:
            unit = _Unit((found[-1].text + unit.text).upper(), found.pop().first, unit.last)
        found.append(unit)
        letters = letter
    return found


def _glued(units: Sequence[_Unit]) -> list[_Unit]:
    """Digits and signs are written together with what is before and behind them; Chinese characters are words."""
    found: list[_Unit] = []
    after_word = False
    for unit in units:
        is_word = _is_word(unit.text)
        if not unit.text.isascii():
            found += [replace(unit, text=part) for part in _characters(unit.text)]
        elif found and found[-1].text.isascii() and not (after_word and is_word):
            found[-1] = _Unit(found[-1].text + unit.text, found[-1].first, unit.last)
        else:
            found.append(unit)
        after_word = is_word
    return found


def _characters(text: str) -> Iterator[str]:
    """Each character, but what is ASCII between others together."""
    run = ""
    for character in text:
        if character.isascii():
            run += character
            continue
        if run:
            yield run
        run = ""
        yield character
    if run:
        yield run


def _is_word(text: str) -> bool:
    """Whether a space stands between this and another one."""
    return text.isascii() and text.replace("'", "a").isalpha()


def _spans(clip: ClipTokens, last: int) -> list[tuple[float, float]]:
    """Start and end of each token up to the `last` that is text.

    A token begins EARLY before the frame in which it is full, and lasts until the next one. The last one lasts halfway
    to the end of the clip.
    """
    if not clip.fires:
        return []
    total = clip.frames + 1
    places = [fire - EARLY for fire in clip.fires]
    spans = []
    for start, end in zip(places, [*places[1:], float(total)], strict=True):
        spans.append((start, end if end - start <= LONGEST else start + LONGEST))
    final = places[last + 1] if last + 1 < len(places) else places[last]
    end = (total + final) / 2 if total - final > NEAR_END else total
    spans[last] = spans[last][0], min(end, float(clip.frames))
    return [(max(0.0, start) * FRAME, max(0.0, end) * FRAME) for start, end in spans]
