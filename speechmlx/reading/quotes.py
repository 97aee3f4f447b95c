"""Which single quotes are quotation marks, and which are apostrophes. Pure, linear in the length."""

from __future__ import annotations

import re

SINGLE = re.compile(r"['‘’‚‹›]")
LONGEST = 400
"""Characters between an opening quote and its closing one, at most."""
ELIDED = re.compile(
    r".(?:n\b|\d\ds?\b(?!')|(?:tis|twas|em|til|till|cause|cuz|bout|round|nother|neath|scuse|kay|s|t|k|m)\b(?!['’]))",
    re.IGNORECASE,
)
"""An apostrophe at the beginning of a word: "'tis", "the '90s", "rock 'n' roll", Dutch "'s avonds"."""
BEFORE = ' \t\n\u00a0([{“"„«—–-'
"""What may stand before an opening quote."""


def quotation_marks(text: str) -> dict[int, str]:
    """The places of the single quotes that open and close a quotation, with the double ones that mean the same."""
    found: dict[int, str] = {}
    opened = -1
    for quote in SINGLE.finditer(text):
        at = quote.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        opens = (not before or before in BEFORE) and after and not after.isspace()
        if opens and not ELIDED.match(text, at):
            opened = at
        elif opened >= 0 and before and not before.isspace() and not after.isalnum():
            if at - opened <= LONGEST and at > opened + 1:
                found[opened], found[at] = "“", "”"
            opened = -1
    return found
