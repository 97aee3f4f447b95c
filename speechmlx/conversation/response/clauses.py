"""Clauses: where text that is still being written can be cut so that its beginning is spoken already. Pure."""

from __future__ import annotations

from speechmlx.text import STOPS, phrase

FIRST_CLAUSE = 10
LONGEST_FIRST_CLAUSE = 60
"""Characters of the first clause, at least and at most: short, as the listener waits for it."""
CLAUSE = 24
"""Characters of the clauses after it, at least, and of a phrase: what is worth speaking on its own."""
PATIENCE = 0.4
"""Seconds that a clause may take to write: of a slower one its phrases are spoken, or the listener would run dry."""


def early(text: str, first: bool, slow: bool) -> tuple[list[str], str]:
    """What can be said of a clause that is not whole, and the rest: a first clause up to a comma that just came, a slow
    or long one to the end of its first phrase, and of a long first one without phrases some words.
    """
    if first and len(text) >= FIRST_CLAUSE and text[-1] in ",;:" and text[-2].isalpha():  # no number that goes on
        return [text], ""
    is_long = first and len(text) > LONGEST_FIRST_CLAUSE
    if (not slow and not is_long) or text.rstrip()[-1:] in STOPS:  # at a stop it is short enough as it is
        return [], text
    said, rest = phrase(text, CLAUSE)
    if not said and is_long:
        end = text.rfind(" ", FIRST_CLAUSE, LONGEST_FIRST_CLAUSE) + 1
        said, rest = text[:end], text[end:]
    return ([said], rest) if said else ([], text)
