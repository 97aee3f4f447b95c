"""The whole way of a text: structure, folding, sentences, words; the places of the input stay. Pure, linear."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

from speechmlx.reading import ssml, structure
from speechmlx.reading.blocks import Given, Manner, SaidAs, TextBlock
from speechmlx.reading.folding import fold
from speechmlx.reading.lexicon import UserLexicon
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.said_as import Words, said_as
from speechmlx.reading.sentences import clauses, sentence_ends
from speechmlx.reading.tokens import Pause, SpokenWord, Token
from speechmlx.reading.written import WrittenWord, written_words

LONGEST = 400
"""Characters of a passage, at most, but for SSML."""
BOUNDARIES = ".!?…:;,—"
"""Marks that make a pause at the end of a block."""
LAST_STOP = re.compile(r"[.!?…]")
SILENT = re.compile(r"[^\w\s'\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff]|_")
"""What `spoken` leaves out; signs of vowels are letters of a word."""


_Placed = tuple[int, int, Given | SaidAs]
"""A note, and the characters of the folded text that it stands for."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, or a part of a long one, or a block of SSML."""

    tokens: list[Token]
    """Its words and pauses; never empty."""
    text: MappedText
    """Its characters without the marks of structure, as they are written."""
    source: str
    """The input that both have their places in."""

    def words(self) -> list[WrittenWord]:
        """Its words as they are written, in order. Each `SpokenWord` stands for a part of one of them."""
        return written_words(self.tokens, self.text, self.source)


def read(text: str, language: str = "en-us", lexicon: UserLexicon | None = None) -> list[Token]:
    """The words of a text as they are said, and the pauses between them; each knows its characters of the text.

    The text may have Markdown or HTML in it; it is SSML where it begins with <speak. `language`: a code such as "en-gb"
    or "fr". Nothing to say gives no word. Raises BadRequest for SSML that is wrong, and for nothing else.
    """
    return [token for passage in passages(text, language, lexicon) for token in passage.tokens]


def passages(text: str, language: str = "en-us", lexicon: UserLexicon | None = None) -> Iterator[Passage]:
    """As `read`, a sentence at a time, or LONGEST characters of a longer one. A block of SSML comes whole.

    None is empty, and none is read before it is asked for.
    """
    say = words_of(language)
    for block in ssml.blocks(text) if ssml.is_ssml(text) else structure.blocks(text):
        for tokens, written in _Block(block, language, say, lexicon).passages():
            if any(isinstance(token, SpokenWord) or token.seconds for token in tokens):
                yield Passage(tokens, written, text)


def spoken(tokens: Iterable[Token]) -> str:
    """The words alone: lower case, without marks, apart by blanks. Letters stand alone: "f b i"."""
    said = (token.text.lower().replace("’", "'") for token in tokens if isinstance(token, SpokenWord))
    return " ".join(" ".join(SILENT.sub(" ", word).split()) for word in said if word.strip())


def words_of(language: str) -> Words:
    """What verbalises a sentence in a language."""
    from speechmlx.reading import english, languages  # the wires need the ends of sentences alone

    code = language.lower().replace("_", "-")
    if code.partition("-")[0] == "en":
        return partial(english.words, british=code.startswith("en-gb"))
    return partial(languages.words, language=code)


class _Block:
    """One block on its way to tokens."""

    def __init__(self, block: TextBlock, language: str, say: Words, lexicon: UserLexicon | None) -> None:
        self._written = block.text
        self._text = fold(block.text, language)
        self._language = language
        self._say = say
        self._lexicon = lexicon
        self._given = [note for note in block.notes if not isinstance(note, Manner)]
        self._manners = [note for note in block.notes if isinstance(note, Manner)]

    def passages(self) -> Iterator[tuple[list[Token], MappedText]]:
        """The words and pauses, with places in the input, and their text as it is written.

        The last of a sentence is a pause, if there is a word.
        """
        if self._manners:
            tokens = [token for passage, _ in self._sentences() for token in passage]
            yield list(_said_in_manner(tokens, self._manners)), self._written
        else:
            yield from self._sentences()

    def _sentences(self) -> Iterator[tuple[list[Token], MappedText]]:
        notes = list(self._placed())
        start, at, begun = 0, 0, 0
        for end, is_whole in self._ends(notes):
            found: list[Token] = []
            while at < len(notes) and (notes[at][0] < end or end == len(self._text)):
                first, last, note = notes[at]
                found += self._plain(start, first)
                found += self._noted(first, last, note)
                start, at = last, at + 1
            found += self._plain(start, end)
            start = end
            if is_whole:
                self._stop(found, end)
            ended = len(self._written)
            if end < len(self._text):
                ended = bisect_left(self._written.starts, self._text.starts[end])
            yield found, self._written[begun:ended]
            begun = ended

    def _ends(self, notes: Sequence[_Placed]) -> Iterator[tuple[int, bool]]:
        """The ends of the sentences and of the block, none of them inside a note, and whether a sentence ends there.

        Sentences of more than LONGEST characters have ends within.
        """
        text, start, at = self._text.text, 0, 0
        for end in sorted({*sentence_ends(text), len(text)}):
            within = [] if end - start <= LONGEST else [len(part) for part in clauses(text[start:end], LONGEST)][:-1]
            for place in (*accumulate(within, initial=start), end):
                while at < len(notes) and notes[at][1] <= place:
                    at += 1
                if (place > start and (at == len(notes) or place <= notes[at][0])) or place == len(text):
                    yield place, place == end
            start = end

    def _placed(self) -> Iterator[_Placed]:
        """The notes in order and apart."""
        done = 0
        for note in self._given:
            start = max(done, bisect_left(self._text.starts, note.start))
            done = max(start, bisect_left(self._text.starts, note.end))
            yield start, done, note

    def _plain(self, start: int, end: int) -> list[Token]:
        """The words of text[start:end], which is of one sentence."""
        text = self._text.text[start:end]
        if not text.strip():
            return []
        tokens = self._say(text)
        if self._lexicon is not None:
            tokens = self._lexicon.apply(tokens, text)
        return _placed_in(self._text, tokens, start)

    def _noted(self, start: int, end: int, note: Given | SaidAs) -> list[Token]:
        if isinstance(note, Given):
            return list(note.tokens)
        text = self._text.text[start:end]
        return _placed_in(self._text, said_as(text, note.interpret, note.form, self._say, self._language), start)

    def _stop(self, found: list[Token], end: int) -> None:
        """A sentence ends with a pause, also where its own stop was a part of its last word, or where it has none."""
        at = len(found)
        for number in range(len(found) - 1, -1, -1):
            token = found[number]
            if isinstance(token, SpokenWord):
                break
            if token.mark and token.mark in BOUNDARIES:
                return
            if token.seconds is not None:  # the stop comes before a silence that was asked for
                at = number
        else:
            return
        stop = LAST_STOP.search(self._text.text[max(0, end - 20) : end].rstrip()[-2:])
        place = self._text.span(max(0, end - 1), end)[1] if at == len(found) else 0
        following = self._text.starts[end] if end < len(self._text) else place
        place = max(found[at - 1].end, min(place, following))
        found.insert(at, Pause(stop[0] if stop else ".", place, place))


def _placed_in(text: MappedText, tokens: Iterable[Token], at: int) -> list[Token]:
    """Tokens with offsets into text[at:], with places in the input."""
    placed: list[Token] = []
    for token in tokens:
        start, end = text.span(at + token.start, at + token.end)
        placed.append(replace(token, start=start, end=end))
    return placed


def _said_in_manner(tokens: Iterable[Token], manners: Sequence[Manner]) -> Iterator[Token]:
    """The tokens with the rate and the emphasis of the parts that they are in."""
    active: list[Manner] = []
    coming = 0
    for token in tokens:
        while coming < len(manners) and manners[coming].start <= token.start:
            active.append(manners[coming])
            coming += 1
        active = [manner for manner in active if manner.end > token.start]
        if isinstance(token, SpokenWord) and active:
            rate, emphasis = token.rate, token.emphasis
            for manner in active:
                rate *= manner.rate
                emphasis = manner.emphasis or emphasis
            yield replace(token, rate=min(max(rate, ssml.SLOWEST), ssml.FASTEST), emphasis=emphasis)
        else:
            yield token
