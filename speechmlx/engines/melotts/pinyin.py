"""Chinese syllables as two phones: how they begin, and how they end. pypinyin reads them, in the words of jieba."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from speechmlx.errors import Unsupported
from speechmlx.optional_packages import way

NEEDED = ("jieba", "pypinyin")
SYLLABLE = re.compile(r"([a-zü]+)([1-5])")
INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
BARE = {"a": "AA", "e": "EE", "o": "OO"}
"""How a syllable begins that begins with a vowel."""
AFTER_Y = {"an": "En", "e": "E", "u": "v", "uan": "van", "ue": "ve", "un": "vn"}
HUMMED = dict.fromkeys("zcs", "i0") | dict.fromkeys(("zh", "ch", "sh", "r"), "ir")
"""What "i" is after these."""


def check() -> None:
    """Raises Unsupported where a package is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Unsupported(f"Chinese is not installed: {' and '.join(missing)} is missing; {way('zh')}")


def syllables(text: str) -> Iterator[tuple[str, str]]:
    """Each Han character of a text and its syllable with the number of its tone, "" for one without."""
    jieba, pypinyin = import_module("jieba"), import_module("pypinyin")
    logging.getLogger("jieba").setLevel(logging.WARNING)
    for word in jieba.cut(text):
        read = pypinyin.lazy_pinyin(
            word, style=pypinyin.Style.TONE3, tone_sandhi=True, neutral_tone_with_five=True, errors=lambda text: [""]
        )
        if len(read) == len(word):
            yield from zip(word, read, strict=True)
        else:
            yield word, "".join(read[:1])


def phones(syllable: str) -> tuple[str, str, int] | None:
    """ "zhong1" → ("zh", "ong", 1); None for what is no syllable of Chinese."""
    found = SYLLABLE.fullmatch(syllable)
    if found is None:
        return None
    letters, tone = found[1].replace("ü", "v"), int(found[2])
    initial = next((one for one in INITIALS if letters.startswith(one)), "")
    final = letters.removeprefix(initial)
    if not initial:
        return (BARE[letters[0]], final, tone) if letters[0] in BARE else None
    if not final:
        return None
    if initial == "y":
        final = AFTER_Y.get(final, final)
    elif initial in "jqx" and final.startswith("u"):
        final = f"v{final[1:]}"
    elif final == "i":
        final = HUMMED.get(initial, final)
    elif final == "ue":
        final = "ve"
    return initial, final, tone
