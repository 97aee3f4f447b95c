"""Text → the phonemes of the pieces it is spoken in: sentences, or clauses of a long one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from speechmlx.text import clauses, sentences

Reader = Callable[[str], str]

COMFORT = 250  # tokens: about 15 s of speech; longer pieces sound hurried and make long steps
SHORT = 20  # tokens: a lone shorter piece sounds unsure, so it is said with its neighbour


def pieces(text: str, read: Reader, vocabulary: Collection[str], longest: int) -> Iterator[str]:
    """Phonemes of one piece after another, each of 1 to `longest` of the `vocabulary`; none when nothing can be said.

    A piece is ready before the next is read, so the first words need not wait for the rest.
    """
    limit, held = min(COMFORT, longest), ""
    for sentence in sentences(text):
        for phonemes in _parts(sentence, read, vocabulary, limit, longest):
            together = f"{held} {phonemes}".strip()
            if held and len(together) > limit:
                yield held
                together = phonemes
            if len(together) < SHORT:
                held = together
            else:
                held = ""
                yield together
    if held:
        yield held


def _parts(sentence: str, read: Reader, vocabulary: Collection[str], limit: int, longest: int) -> Iterator[str]:
    phonemes = _known(read(sentence), vocabulary)
    if len(phonemes) <= limit:
        texts = [sentence] if phonemes else []
    else:
        # Letters stand for about as many sounds everywhere in one sentence.
        texts = clauses(sentence, limit * 0.9 * len(sentence) / len(phonemes))
    for text in texts:
        said = phonemes if text is sentence else _known(read(text), vocabulary)
        while len(said) > longest:
            cut = said.rfind(" ", 0, longest) + 1 or longest
            yield said[:cut].strip()
            said = said[cut:]
        if any(c.isalpha() for c in said):
            yield said


def _known(phonemes: str, vocabulary: Collection[str]) -> str:
    return "".join(p for p in phonemes if p in vocabulary).strip()
