"""Cuts text into pieces that Kokoro says at once (sentences, or clauses of long ones), as phonemes, in short steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass

from speechmlx.engines.kokoro.word_places import Placed, PlacedWord, SaidEntry, WordOrder, WordPart, placed, written
from speechmlx.engines.parts.spoken_parts import alike, windows
from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.pronunciation import Said, laid_out
from speechmlx.reading.reading import Passage

Read = Callable[[str], Iterator[Passage]]
"""The words of a text, a sentence at a time."""
Pronounce = Callable[[list[Token]], Generator[None, None, Said]]
"""The phonemes of words, in steps."""

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
MARKS = ".!?…;:—,"
CUTS = (".!?…", ";:—,", None)
"""Marks after which a long sentence is cut, the best first; None: between any words."""


@dataclass(frozen=True)
class SpeechPiece:
    """Phonemes to say at once, then seconds of silence. Any of them may be missing."""

    phonemes: str
    rate: float = 1.0
    """Times the speed that was asked for."""
    silence: float = 0.0
    words: tuple[PlacedWord, ...] = ()
    """The words that the phonemes say. Their places are those of the text."""


def pieces(
    text: str, read: Read, pronounce: Pronounce, vocabulary: Collection[str], longest: int, in_runs: bool = False
) -> Iterator[SpeechPiece | None]:
    """Yield each piece: 1 to `longest` phonemes of the `vocabulary`. Text without words yields no piece.

    A piece is yielded before the next one is converted, so that its synthesis can start. None marks a step of work.
    `in_runs`: `pronounce` may give the phonemes of several words to the first of them.
    """
    for at, window in windows(text):
        for passage in read(window):
            found = passage.words()
            words, order = [word.moved(at) for word in found], WordOrder(passage.tokens, found, in_runs)
            for tokens, rate, silence in alike(passage.tokens):
                said = yield from pronounce(tokens)
                entries = order.entries(list(_known(said, vocabulary)))
                lines = list(_lines(entries, min(COMFORT, longest), longest))
                for number, (line, spoken) in enumerate(lines):
                    is_last = number == len(lines) - 1
                    yield SpeechPiece(line, rate, silence if is_last else 0.0, written(spoken, words))
                if silence and not lines:
                    yield SpeechPiece("", rate, silence)
                yield None
        yield None


def _known(said: Said, vocabulary: Collection[str]) -> Iterator[tuple[str, Token]]:
    """`said` with phonemes of the vocabulary alone, and with one mark where several follow each other."""
    before = ""
    for phonemes, token in said:
        mark = token.mark if isinstance(token, Pause) else ""
        if not (mark and before and mark in MARKS and before in MARKS):
            yield "".join(p for p in phonemes if p in vocabulary), token
            before = mark


def _lines(entries: list[SaidEntry], limit: int, longest: int) -> Iterator[tuple[str, list[Placed]]]:
    """Lines of phonemes of at most `limit` where there are marks or blanks, `longest` anyhow; and their words.

    Words that cannot be said are at the end of the line before them, or alone with an empty line.
    """
    waiting: tuple[str, list[Placed]] | None = None
    for part in _fitting(entries, limit, CUTS):
        line = laid_out([(entry.phonemes, entry.token) for entry in part])
        words = list(placed(part, line.places))
        for start in range(0, max(1, len(line.text)), longest):
            piece, within = _piece(line.text, words, start, longest)
            if any(c.isalpha() for c in piece):
                if waiting is not None:
                    yield waiting
                waiting = piece, within
            elif within:
                said, before = waiting or ("", [])
                waiting = said, [*before, *((word, len(said), len(said)) for word, _, _ in within)]
    if waiting is not None:
        yield waiting


def _piece(line: str, words: list[Placed], start: int, longest: int) -> tuple[str, list[Placed]]:
    """line[start:start + longest] and the words that it says a part of."""
    end = start + longest
    piece = line[start:end]
    left, length = start + len(piece) - len(piece.lstrip()), len(piece.strip())
    found: list[Placed] = []
    for part, first, last in words:
        is_silent_here = first == last and start <= first and (first < end or end >= len(line))
        if is_silent_here or (first < end and last > start):
            is_cut = last > end and part.is_last
            part = WordPart(part.number, part.letters, False) if is_cut else part
            found.append((part, min(max(first - left, 0), length), min(max(last - left, 0), length)))
    return piece.strip(), found


def _fitting(entries: list[SaidEntry], limit: int, cuts: tuple[str | None, ...]) -> list[list[SaidEntry]]:
    """`entries` cut into parts of at most `limit` phonemes, at the best marks; neighbours stay together."""
    if _size(entries) <= limit or not cuts:
        return [entries]
    whole, size = list[list[SaidEntry]](), limit
    for part in _cut(entries, cuts[0]):
        for piece in _fitting(part, limit, cuts[1:]):
            size += _size(piece)
            if size <= limit:
                whole[-1] += piece
            else:
                whole.append(piece)
                size = _size(piece)
    return whole


def _cut(entries: list[SaidEntry], marks: str | None) -> Iterator[list[SaidEntry]]:
    """The parts of `entries` that end with one of `marks`, or the words with the marks after them."""
    part: list[SaidEntry] = []
    for entry in entries:
        before = part[-1].token if part else None
        ended = isinstance(before, Pause) and before.mark in (marks or "")
        if part and isinstance(entry.token, SpokenWord) and (marks is None or ended):
            yield part
            part = []
        part.append(entry)
    yield part


def _size(entries: list[SaidEntry]) -> int:
    """Phonemes and the blanks between, at most."""
    return sum(len(entry.phonemes) + 1 for entry in entries)
