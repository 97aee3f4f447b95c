"""Text as F5-TTS reads it: letters and marks one by one, Chinese as syllables in Latin letters with numbers of tones.

Chinese needs the packages jieba, which finds its words, and pypinyin, which reads them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from speechmlx.errors import Unsupported, WeightsDamaged
from speechmlx.optional_packages import way

FOLDED = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
"""Marks that the model does not know, and those that it takes in their place."""
BLOCK = re.compile(r"([\u4e00-\u9fd5a-zA-Z0-9+#&._%\-]+)")
"""What may hold words, as jieba sees it."""
HAN = re.compile(r"[\u4e00-\u9fd5]")
NAME = re.compile(r"(AT&T|[cC]\+\+|[cC]#)")
"""Words in Latin letters that the dictionary of Chinese has."""
WORD = re.compile(r"([a-zA-Z0-9]+(?:[._\-][a-zA-Z0-9]+)*%?)")
MARK = re.compile(r"\r\n|.", re.DOTALL)
GLUE = " :'\""
"""Behind any other symbol than these, a blank is put before a word in Latin letters."""
NEEDED = ("jieba", "pypinyin")


def read_symbols(folder: Path, count: int) -> dict[str, int]:
    """The number of each of `count` symbols in vocab.txt: one a line, the first a blank. Raises WeightsDamaged."""
    try:
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsDamaged(f"the model {folder.name!r} has no readable vocab.txt: {error}") from error
    symbols = {line: number for number, line in enumerate(lines[:-1] if not lines[-1] else lines)}
    if len(symbols) != count or symbols.get(" ") != 0:
        raise WeightsDamaged(f"vocab.txt has {len(symbols)} symbols from {lines[0]!r:.20} on, not {count} from ' ' on")
    return symbols


def numbered(text: str, symbols: Mapping[str, int]) -> list[int]:
    """The numbers of the symbols of a text; that of the blank for one that the model does not know."""
    return [symbols.get(symbol, 0) for symbol in spelled(text)]


def spelled(text: str) -> list[str]:
    """The symbols of a text. Raises Unsupported for Chinese where a package is missing."""
    symbols = list[str]()
    for word in _words(text.translate(FOLDED)):
        if word.isascii():
            if symbols and len(word) > 1 and symbols[-1] not in GLUE:
                symbols.append(" ")
            symbols.extend(word)
        elif all("\u0800" <= letter <= "\uffff" for letter in word):
            for letter, sound in zip(word, _read(word), strict=True):
                symbols += [" ", sound] if _is_chinese(letter) else [sound]
        else:
            for letter in word:
                symbols += [" ", *_read(letter)] if _is_chinese(letter) else [letter]
    return symbols


def _is_chinese(letter: str) -> bool:
    return "\u3100" <= letter <= "\u9fff"


def _words(text: str) -> Iterator[str]:
    """The words of a text: whole ones of letters, and every other character by itself."""
    for block in BLOCK.split(text):
        if not BLOCK.fullmatch(block):
            yield from MARK.findall(block)
        elif HAN.search(block):
            for is_latin, words in groupby(_cut(block), str.isascii):
                together = list(words)
                yield from _latin("".join(together)) if is_latin else together
        else:
            yield from _latin(block)


def _latin(block: str) -> Iterator[str]:
    """The words of a block of ASCII, and what is between them."""
    for place, part in enumerate(NAME.split(block)):
        yield from [part] if place % 2 else filter(None, WORD.split(part))


def _cut(block: str) -> Iterator[str]:
    """The words of a block of Chinese."""
    _check_chinese()
    jieba = import_module("jieba")
    logging.getLogger("jieba").setLevel(logging.WARNING)
    yield from jieba.cut(block)


def _read(word: str) -> list[str]:
    """The sound of each letter: a syllable for one of Chinese, else the letter."""
    if not any(map(_is_chinese, word)):
        return list(word)
    _check_chinese()
    pypinyin = import_module("pypinyin")
    return list(pypinyin.lazy_pinyin(word, style=pypinyin.Style.TONE3, tone_sandhi=True))


def _check_chinese() -> None:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Unsupported(f"Chinese is not installed: {' and '.join(missing)} is missing; {way('zh')}")
