"""Japanese as phones: fugashi finds the kana of words by the dictionary of unidic-lite, and each mora has one or two.

The words that BERT reads are those which the dictionary finds in the kana alone: the checkpoint was trained so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from speechmlx.errors import Unsupported
from speechmlx.optional_packages import way

NEEDED = ("fugashi", "unidic_lite")
VOWELS = "aiueo"
ROWS = {
    "k": "カキクケコ", "g": "ガギグゲゴ", "s": "サ.スセソ", "z": "ザ.ズゼゾ", "t": "タ..テト", "d": "ダ..デド",
    "n": "ナニヌネノ", "h": "ハヒ.ヘホ", "b": "バビブベボ", "p": "パピプペポ", "m": "マミムメモ", "r": "ラリルレロ",
    "y": "ヤ.ユ.ヨ", "w": "ワ....",
}  # fmt: skip
"""The kana of each consonant, by their vowels."""
MORAS: dict[str, tuple[str, ...]] = {
    **{kana: (vowel,) for kana, vowel in zip("アイウエオァィゥェォ", 2 * VOWELS, strict=True)},
    **{
        kana: (consonant, vowel)
        for consonant, row in ROWS.items()
        for kana, vowel in zip(row, VOWELS, strict=True)
        if kana != "."
    },
    "シ": ("sh", "i"), "ジ": ("j", "i"), "チ": ("ch", "i"), "ヂ": ("j", "i"), "ツ": ("ts", "u"), "ヅ": ("z", "u"),
    "フ": ("f", "u"), "ヴ": ("b", "u"), "ヰ": ("i",), "ヱ": ("e",), "ヲ": ("o",), "ン": ("N",), "ッ": ("q",),
    "ャ": ("y", "a"), "ュ": ("y", "u"), "ョ": ("y", "o"), "ヮ": ("w", "a"), "ヶ": ("k", "e"), "ヵ": ("k", "a"),
}  # fmt: skip
"""The phones of each kana."""
GLIDES = {
    "シ": "sh",
    "ジ": "j",
    "チ": "ch",
    "ヂ": "j",
    "ツ": "ch",
    "ス": "sh",
    "ズ": "zy",
    "ヅ": "zy",
    "フ": "hy",
    "ヴ": "by",
}
"""What a kana's consonant is before a small ャ, ュ or ョ; others get a "y"."""
BEFORE_SMALL = {
    "ウ": "w", "シ": "sh", "ジ": "j", "チ": "ch", "ヂ": "j", "ツ": "ts", "フ": "f", "ヴ": "b", "テ": "t", "デ": "d",
    "ト": "t", "ド": "d", "ス": "s", "ズ": "z",
}  # fmt: skip
"""What a kana's consonant is before a small vowel that is not its own."""
SMALL = dict(zip("ァィゥェォャュョ", "aiueoauo", strict=True))
LETTERS = (
    "エー ビー シー ディー イー エフ ジー エイチ アイ ジェー ケー エル エム エヌ オー ピー キュー アール "
    "エス ティー ユー ブイ ダブリュー エックス ワイ ゼット"
).split()
"""The names of the letters of the alphabet."""
TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}


def check() -> None:
    """Raises Unsupported where a package is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Unsupported(f"Japanese is not installed: {' and '.join(missing)} is missing; {way('ja')}")


def words(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The words of the kana of a text, and the phones of each."""
    for word in _tagger()(reading(text)):
        yield word.surface, phones(word.surface)


def reading(text: str) -> str:
    """The katakana of a text, as its words are spelt and not as they sound; what has none is left out."""
    found = []
    for word in _tagger()(unicodedata.normalize("NFKC", text)):
        kana = getattr(word.feature, "kana", None) or word.surface
        kana = "".join(LETTERS[ord(letter) - ord("a")] if "a" <= letter <= "z" else letter for letter in kana.lower())
        found.append("".join(c for c in kana.translate(TO_KATAKANA) if c in MORAS or c == "ー"))
    return "".join(found)


def phones(kana: str) -> tuple[str, ...]:
    """The phones of katakana."""
    found, place = list[str](), 0
    while place < len(kana):
        pair = _pair(kana[place : place + 2])
        found += pair or MORAS.get(kana[place], ())
        place += 2 if pair else 1
    return tuple(found)


def _pair(kana: str) -> tuple[str, ...] | None:
    """The phones of a kana with the small one behind it; None where they are two moras."""
    if len(kana) < 2 or kana[1] not in SMALL or len(MORAS.get(kana[0], ())) < 1:
        return None
    first, small = kana[0], kana[1]
    *consonant, vowel = MORAS[first]
    if small in "ャュョ":
        if not consonant:
            return None
        return (GLIDES.get(first, f"{consonant[0]}y".replace("yy", "y")), SMALL[small])
    if consonant and vowel == SMALL[small]:
        return (consonant[0], f"{vowel}:")
    if first in BEFORE_SMALL:
        return (BEFORE_SMALL[first], SMALL[small])
    return None


@cache
def _tagger() -> Any:
    """Reads the dictionary, once (some hundred milliseconds)."""
    return import_module("fugashi").Tagger()
