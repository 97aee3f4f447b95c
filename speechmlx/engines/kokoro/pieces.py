"""Cuts text into pieces that Kokoro says at once (sentences, or clauses of long ones), as phonemes, in short steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.pronunciation import Said, joined

Read = Callable[[str], Iterator[list[Token]]]
"""The words of a text, a sentence at a time."""
Pronounce = Callable[[list[Token]], Generator[None, None, Said]]
"""The phonemes of words, in steps."""

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
WINDOW = 20_000  # most characters whose structure is looked at in one step
MARKS = ".!?…;:—,"
CUTS = (".!?…", ";:—,", None)
"""Marks after which a long sentence is cut, the best first; None: between any words."""


@dataclass(frozen=True)
class SpeechPiece:
    """Phonemes to say at once, then seconds of silence. Either may be missing."""

    phonemes: str
    rate: float = 1.0
    """Times the speed that was asked for."""
    silence: float = 0.0


def pieces(
    text: str, read: Read, pronounce: Pronounce, vocabulary: Collection[str], longest: int
) -> Iterator[SpeechPiece | None]:
    """Yield each piece: 1 to `longest` phonemes of the `vocabulary`. Text without words yields no piece.

    A piece is yielded before the next one is converted, so that its synthesis can start. None marks a step of work.
    """
    for window in _windows(text):
        for passage in read(window):
            for tokens, rate, silence in _alike(passage):
                said = yield from pronounce(tokens)
                lines = list(_lines(list(_known(said, vocabulary)), min(COMFORT, longest), longest))
                for number, line in enumerate(lines):
                    yield SpeechPiece(line, rate, silence if number == len(lines) - 1 else 0.0)
                if silence and not lines:
                    yield SpeechPiece("", rate, silence)
                yield None
        yield None


def _windows(text: str) -> Iterator[str]:
    """`text`, cut where it is longer than WINDOW: at an empty line, else at the end of a line, else at a blank.

    SSML is one window.
    """
    start = 0
    while len(text) - start > WINDOW and not text.lstrip().startswith("<speak"):
        window = text[start : start + WINDOW]
        cut = next((at + len(mark) for mark in ("\n\n", "\n", ". ", " ") if (at := window.rfind(mark)) > 0), WINDOW)
        yield window[:cut]
        start += cut
    yield text[start:]


def _alike(passage: list[Token]) -> Iterator[tuple[list[Token], float, float]]:
    """Parts of a passage that are said at one rate and without a break; the rate, and seconds of the break after."""
    part, rate = list[Token](), 1.0
    for token in passage:
        if isinstance(token, SpokenWord) and token.rate != rate:
            if part:
                yield part, rate, 0.0
            part, rate = [], token.rate
        if isinstance(token, Pause) and token.seconds is not None:
            yield [*part, *([token] if token.mark else [])], rate, token.seconds
            part = []
        else:
            part.append(token)
    if part:
        yield part, rate, 0.0


def _known(said: Said, vocabulary: Collection[str]) -> Iterator[tuple[str, Token]]:
    """`said` with phonemes of the vocabulary alone, and with one mark where several follow each other."""
    before = ""
    for phonemes, token in said:
        mark = token.mark if isinstance(token, Pause) else ""
        if not (mark and before and mark in MARKS and before in MARKS):
            yield "".join(p for p in phonemes if p in vocabulary), token
            before = mark


def _lines(said: Said, limit: int, longest: int) -> Iterator[str]:
    """`said` as lines of phonemes of at most `limit` where it has marks or blanks, `longest` anyhow."""
    for part in _fitting(said, limit, CUTS):
        line = joined(part)
        for start in range(0, len(line), longest):
            piece = line[start : start + longest].strip()
            if any(c.isalpha() for c in piece):
                yield piece


def _fitting(said: Said, limit: int, cuts: tuple[str | None, ...]) -> list[Said]:
    """`said` cut into parts of at most `limit` phonemes, at the best marks that it has; neighbours stay together."""
    if _size(said) <= limit or not cuts:
        return [said]
    whole, size = list[Said](), limit
    for part in _cut(said, cuts[0]):
        for piece in _fitting(part, limit, cuts[1:]):
            size += _size(piece)
            if size <= limit:
                whole[-1] += piece
            else:
                whole.append(piece)
                size = _size(piece)
    return whole


def _cut(said: Said, marks: str | None) -> Iterator[Said]:
    """The parts of `said` that end with one of `marks`, or the words with the marks after them."""
    part: Said = []
    for phonemes, token in said:
        word = isinstance(token, SpokenWord)
        ended = part and isinstance(part[-1][1], Pause) and part[-1][1].mark in (marks or "")
        if part and word and (marks is None or ended):
            yield part
            part = []
        part.append((phonemes, token))
    yield part


def _size(said: Said) -> int:
    """Phonemes and the blanks between, at most."""
    return sum(len(phonemes) + 1 for phonemes, _ in said)
