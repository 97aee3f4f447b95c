"""Splits text into pieces (sentences, or clauses of long ones) and converts them to phonemes, in short steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator

from speechmlx.text import clauses, finished, sentences

Reader = Callable[[str], Generator[None, None, str]]
"""Converts text to phonemes in steps; returns the phonemes."""

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
READ = 400  # characters read at once: whatever would be longer is cut before it is read
AHEAD = 2000  # characters looked at to find where sentences end


def pieces(text: str, read: Reader, vocabulary: Collection[str], longest: int) -> Iterator[str | None]:
    """Yield the phonemes of each piece: 1 to `longest` of the `vocabulary`. Text without phonemes yields none.

    A piece is yielded before the next one is read, so that its synthesis need not wait. None stands for a step of work.
    """
    limit = min(COMFORT, longest)
    for passage in _passages(text):
        yield from _parts(passage, read, vocabulary, limit, longest)


def _passages(text: str) -> Iterator[str]:
    """Sentences; those longer than READ are cut by `clauses`, with at most AHEAD characters of look-ahead."""
    at = 0
    while at < len(text):
        window = text[at : at + AHEAD]
        whole, rest = finished(window)
        if at + AHEAD >= len(text):
            whole, rest = sentences(window), ""
        elif rest == window:  # no end in sight: what is after its last clause goes with what follows
            whole = clauses(window, READ)[:-1]
            rest = window[sum(map(len, whole)) :] if whole else ""
        for sentence in whole or [""]:
            yield from clauses(sentence, READ) or [""]
        at += len(window) - len(rest)


def _parts(passage: str, read: Reader, vocabulary: Collection[str], limit: int, longest: int) -> Iterator[str | None]:
    phonemes = _known((yield from read(passage)), vocabulary)
    yield None
    if len(phonemes) <= limit:
        yield from _fitting(phonemes, longest)
        return
    # Letters stand for about as many sounds everywhere in one sentence.
    for text in clauses(passage, limit * 0.9 * len(passage) / len(phonemes)):
        said = _known((yield from read(text)), vocabulary)
        yield None
        yield from _fitting(said, longest)


def _fitting(said: str, longest: int) -> Iterator[str]:
    while said:
        cut = len(said) if len(said) <= longest else said.rfind(" ", 0, longest) + 1 or longest
        piece, said = said[:cut].strip(), said[cut:].strip()
        if any(c.isalpha() for c in piece):
            yield piece


def _known(phonemes: str, vocabulary: Collection[str]) -> str:
    return "".join(p for p in phonemes if p in vocabulary).strip()
