"""Compares names that people type, and finds suggestions for an unknown one. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

MANY = 10
"""Up to this many names, an error message lists all of them."""
FEW = 6
"""With more names, it lists this many of the most similar ones."""
LONGEST = 100
"""Number of characters of a name that are compared."""
BLEND = "a blend is written like af_heart*0.7+af_sky*0.3 or af_heart(7)+af_sky(3)"
"""How voices are mixed, for messages."""
BETWEEN = re.compile(r"[\s_-]+")


def spelt(name: str) -> str:
    """ " AF-Heart " → "af_heart": lower case, words joined by underscores."""
    return BETWEEN.sub("_", name.strip().lower())


def listed(wanted: str, known: Iterable[str], where: str) -> str:
    """Text that suggests names instead of `wanted`: all of `known`, or the most similar ones and `where` to list all.

    "af_heart, af_sky, … and 48 more (GET /v1/audio/voices lists all)"; "none" if `known` is empty.
    """
    names = list(dict.fromkeys(known))
    if len(names) <= MANY:
        return ", ".join(names) or "none"
    return f"{', '.join(nearest(wanted, names))}, … and {len(names) - FEW} more ({where})"


def nearest(wanted: str, known: Iterable[str]) -> list[str]:
    """The FEW names of `known` that are most similar to `wanted`, most similar first."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, "", wanted.strip().lower()[:LONGEST], autojunk=False)

    def unlike(name: str) -> float:
        matcher.set_seq1(name.lower()[:LONGEST])
        return -matcher.ratio()

    return sorted(known, key=unlike)[:FEW]
