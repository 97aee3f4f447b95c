"""PersonaPlex's voices, and names of other services that stand for them."""

from __future__ import annotations

from speechmlx.models.voices import VoiceList

NAMES = tuple(
    f"{kind}{number}" for kind, count in (("natf", 4), ("natm", 4), ("varf", 5), ("varm", 5)) for number in range(count)
)
"""Natural and varied, female and male."""
OPENAI = {
    "alloy": "natf0",
    "ash": "natm0",
    "ballad": "natm1",
    "cedar": "natm2",
    "coral": "natf1",
    "echo": "natm3",
    "fable": "varm0",
    "marin": "natf2",
    "nova": "natf3",
    "onyx": "varm1",
    "sage": "varf0",
    "shimmer": "varf1",
    "verse": "varm2",
}
PATTERNS = (
    (r"[a-z]{2}_female(_\w+)?", "natf0"),
    (r"[a-z]{2}_male(_\w+)?", "natm0"),
    *((rf"{name[:-1]}_{name[-1]}", name) for name in NAMES),
)
PERSONAPLEX_VOICES = VoiceList(NAMES, OPENAI, PATTERNS)
