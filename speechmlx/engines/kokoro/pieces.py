"""Text → the phonemes of the pieces it is spoken in: sentences, or clauses of long ones; read in short steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator

from speechmlx.text import clauses, finished, sentences

Reader = Callable[[str], Generator[None, None, str]]
"""Reads text in steps; what it returns are phonemes."""

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
READ = 400  # characters read at once: whatever would be longer is cut before it is read
AHEAD = 2000  # characters looked at to find where sentences end


def pieces(text: str, read: Reader, vocabulary: Collection[str], longest: int) -> Iterator[str | None]:
    """Phonemes of one piece after another, each of 1 to `longest` of the `vocabulary`; none when nothing can be said.

    A piece is ready before the next is read, so the first words need not wait for the rest. None is a step of reading.
    """
    limit = min(COMFORT, longest)
    for passage in _passages(text):
        yield from _parts(passage, read, vocabulary, limit, longest)


def _passages(text: str) -> Iterator[str]:
    """Sentences, and what `clauses` makes of those longer than READ, looking no further than AHEAD."""
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
