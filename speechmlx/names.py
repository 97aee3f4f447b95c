"""Names as people write them: how they are compared, and which to offer for one that is not there; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MANY = 10
"""So many are told all."""
FEW = 6
"""Of more, the nearest."""
LONGEST = 100
"""Characters of a name that are compared."""
BETWEEN = re.compile(r"[\s_-]+")


def spelt(name: str) -> str:
    """ " AF-Heart " → "af_heart": in small letters, words joined by underscores."""
    return BETWEEN.sub("_", name.strip().lower())


def listed(wanted: str, known: Iterable[str], where: str) -> str:
    """What to offer instead of `wanted`: all of `known`, or of many the nearest and `where` the others are.

    "af_heart, af_sky, … and 48 more (GET /v1/audio/voices lists all)"; "none" where there are none.
    """
    names = list(dict.fromkeys(known))
    if len(names) <= MANY:
        return ", ".join(names) or "none"
    return f"{', '.join(nearest(wanted, names))}, … and {len(names) - FEW} more ({where})"


def nearest(wanted: str, known: Iterable[str]) -> list[str]:
    """The FEW of `known` that are most like `wanted`, the most alike first."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, "", wanted.strip().lower()[:LONGEST], autojunk=False)

    def unlike(name: str) -> float:
        matcher.set_seq1(name.lower()[:LONGEST])
        return -matcher.ratio()

    return sorted(known, key=unlike)[:FEW]
