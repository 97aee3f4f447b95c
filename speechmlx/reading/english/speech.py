"""From what is said for each piece of a text to spoken words and pauses; the capitals of plain words are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from speechmlx.reading.english.capitals import Capitals, classify, parts
from speechmlx.reading.english.scanner import ClassifiedToken
from speechmlx.reading.tokens import Pause, SpokenWord, Token

SPELLED = (Capitals.LETTERS, Capitals.CAMEL)


def tokens(text: str, pieces: Iterable[ClassifiedToken]) -> list[Token]:
    """The words and pauses of `pieces`, which are of `text`."""
    said = [(part, piece) for piece in pieces for part in piece.said.split()]
    asked = [(i, part.lstrip("~")) for i, (part, _) in enumerate(said) if part[0] == "~" or _is_mark(part)]
    kinds = dict(zip((i for i, _ in asked), classify([word for _, word in asked]), strict=True))
    found: list[Token] = []
    for i, (part, piece) in enumerate(said):
        if _is_mark(part):
            _pause(found, part, piece)
        elif part[0] == "~":
            found.extend(_written(part[1:], kinds[i], piece))
        else:
            is_letter = part[0] == "." or (len(part) == 1 and part not in "ai")
            found.append(SpokenWord(part.lstrip("."), piece.start, piece.end, is_letter))
    return found


def _is_mark(part: str) -> bool:
    return len(part) == 1 and not part.isalpha()


def _pause(found: list[Token], mark: str, piece: ClassifiedToken) -> None:
    """Add a pause. Right after another one of the same mark it adds nothing."""
    last = found[-1] if found else None
    if not (isinstance(last, Pause) and last.mark == mark):
        found.append(Pause(mark, piece.start, piece.end))


def _written(word: str, kind: Capitals, piece: ClassifiedToken) -> Iterator[SpokenWord]:
    """The words of a word as it is written, by what its capitals mean."""
    if kind is Capitals.LETTER:
        yield SpokenWord(word, piece.start, piece.end, True)
    elif kind in SPELLED:
        for part, is_letter in parts(word, kind is Capitals.LETTERS):
            yield SpokenWord(part, piece.start, piece.end, is_letter)
    elif kind in (Capitals.SHOUT, Capitals.STRESSED):
        yield SpokenWord(
            word.lower() if word != "I" else word, piece.start, piece.end, emphasis=kind is Capitals.STRESSED
        )
    else:
        yield SpokenWord(word, piece.start, piece.end)
