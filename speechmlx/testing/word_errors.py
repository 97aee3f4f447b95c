"""Word error rate: how many words of a text differ from a reference. Pure."""

from __future__ import annotations

import re

import numpy as np

from speechmlx.errors import BadRequest


def word_error_rate(reference: str, text: str) -> float:
    """Errors per word of `reference`: words left out, added and replaced. 0 is perfect, and it may be above 1.

    Words are divided by spaces; case and punctuation do not count. Raises BadRequest for a reference without words.
    """
    wanted, found = normalised(reference), normalised(text)
    if not wanted:
        raise BadRequest("the reference has no words to compare with")
    numbers = {word: number for number, word in enumerate({*wanted, *found})}
    heard = np.array([numbers[word] for word in found], np.int64)
    places = np.arange(len(found) + 1)
    row = places.copy()
    for count, word in enumerate(wanted, 1):
        best = np.empty_like(row)
        best[0] = count
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (heard != numbers[word]))
        row = np.minimum.accumulate(best - places) + places  # words added after the best place before
    return float(row[-1]) / len(wanted)


def normalised(text: str) -> list[str]:
    """The words in small letters, without punctuation but apostrophes inside."""
    spelt = text.lower().replace("’", "'")
    return [word.strip("'") for word in re.sub(r"[^\w' ]+", " ", spelt).split() if word.strip("'")]
