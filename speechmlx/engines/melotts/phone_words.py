"""The words of a text with their phones, as MeloTTS is told them, and pieces of them that are said at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from speechmlx.reading import Pause

STOPS = ".!?…"
MARKS = {",": ",", ";": ",", ":": ",", "—": ",", "(": ",", ")": ",", **dict.fromkeys(STOPS)}
"""What each mark of a reading is here; None: itself. Others are not told."""


@dataclass(frozen=True)
class PhoneWord:
    """A word or a mark, as BERT reads it, and its phones with their tones, numbered over all languages."""

    text: str
    phones: tuple[str, ...]
    tones: tuple[int, ...]
    is_mark: bool = False

    @property
    def size(self) -> int:
        """At least the number of its phones, and of its tokens."""
        return max(len(self.phones), len(self.text), 1)


def mark(pause: Pause, tone: int) -> Iterator[PhoneWord]:
    """The mark that a pause is told as, if any."""
    if pause.mark in MARKS:
        sign = MARKS[pause.mark] or pause.mark
        yield PhoneWord(sign, (sign,), (tone,), is_mark=True)


def orderly(words: Iterable[PhoneWord], tone: int) -> list[PhoneWord]:
    """`words` without marks before the first word, with one where several follow each other, and one at the end."""
    found = list[PhoneWord]()
    for word in words:
        if not word.is_mark:
            found.append(word)
        elif found and found[-1].is_mark:
            found[-1] = word if word.text in STOPS else found[-1]
        elif found:
            found.append(word)
    if found and not found[-1].is_mark:
        found.append(PhoneWord(",", (",",), (tone,), is_mark=True))
    return found


def pieces(words: list[PhoneWord], most: int) -> Iterator[list[PhoneWord]]:
    """`words` in pieces of at most `most` in size: cut behind marks where it can be, else between words."""
    piece, size = list[PhoneWord](), 0
    for word in (part for whole in words for part in _cut(whole, most)):
        if piece and size + word.size > most:
            end = max((place for place, one in enumerate(piece) if one.is_mark), default=len(piece) - 1) + 1
            yield piece[:end]
            piece = piece[end:]
            size = sum(one.size for one in piece)
        piece.append(word)
        size += word.size
    if piece:
        yield piece


def _cut(word: PhoneWord, most: int) -> Iterator[PhoneWord]:
    """A word in parts of at most `most`, its letters with the first of them."""
    if word.size <= most:
        yield word
        return
    yield PhoneWord(word.text[:most], word.phones[:most], word.tones[:most])
    for start in range(most, len(word.phones), most):
        yield PhoneWord("", word.phones[start : start + most], word.tones[start : start + most])
