"""Splits text into pieces (sentences, or clauses of long ones) and converts them to phonemes, in short steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator

from speechmlx.reading.sentences import clauses, finished, sentences

Reader = Callable[[str], Generator[None, None, str]]
"""Converts text to phonemes in steps; returns the phonemes."""

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
READ = 400  # most characters in one call of the reader; longer sentences are cut first
AHEAD = 2000  # most characters in one search for the ends of sentences


def pieces(text: str, read: Reader, vocabulary: Collection[str], longest: int) -> Iterator[str | None]:
    """Yield the phonemes of each piece: 1 to `longest` of the `vocabulary`. Text without phonemes yields no piece.

    A piece is yielded before the next one is converted, so that its synthesis can start. None marks a step of work.
    """
    limit = min(COMFORT, longest)
    for passage in _passages(text):
        yield from _parts(passage, read, vocabulary, limit, longest)


def _passages(text: str) -> Iterator[str]:
    """Split `text` into sentences, looking at most AHEAD characters ahead. `clauses` cuts those longer than READ."""
    at = 0
    while at < len(text):
        window = text[at : at + AHEAD]
        complete, rest = finished(window)
        if at + AHEAD >= len(text):
            complete, rest = sentences(window), ""
        elif rest == window:  # no end of a sentence: the last clause joins the text after the window
            complete = clauses(window, READ)[:-1]
            rest = window[sum(map(len, complete)) :] if complete else ""
        for sentence in complete or [""]:
            yield from clauses(sentence, READ) or [""]
        at += len(window) - len(rest)


def _parts(passage: str, read: Reader, vocabulary: Collection[str], limit: int, longest: int) -> Iterator[str | None]:
    phonemes = _known((yield from read(passage)), vocabulary)
    yield None
    if len(phonemes) <= limit:
        yield from _fitting(phonemes, longest)
        return
    # The ratio of phonemes to letters is about constant within one sentence.
    for text in clauses(passage, limit * 0.9 * len(passage) / len(phonemes)):
        part = _known((yield from read(text)), vocabulary)
        yield None
        yield from _fitting(part, longest)


def _fitting(phonemes: str, longest: int) -> Iterator[str]:
    """Cut `phonemes` at spaces into pieces of at most `longest`. Pieces without letters are left out."""
    while phonemes:
        cut = len(phonemes) if len(phonemes) <= longest else phonemes.rfind(" ", 0, longest) + 1 or longest
        piece, phonemes = phonemes[:cut].strip(), phonemes[cut:].strip()
        if any(c.isalpha() for c in piece):
            yield piece


def _known(phonemes: str, vocabulary: Collection[str]) -> str:
    return "".join(p for p in phonemes if p in vocabulary).strip()
