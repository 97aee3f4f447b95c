"""Text → tokens in parts that are spoken one after the other, also of text that is still being written."""

from __future__ import annotations

import json
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from speechmlx.errors import ModelUnavailable
from speechmlx.reading.plain import PlainText, WordsOrSilence
from speechmlx.reading.sentences import STOPS, clauses, finished, sentences

PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What no token of Qwen's vocabulary goes across."""
PART = 192
"""Tokens from which on a part ends with a sentence: about a minute of speech. Longer ones tend to lose the voice."""
MOST = PART + 64
"""Tokens at which a part of text that is being written ends after any word."""
LONGEST_WORD = 64
"""Characters of text that is being written, at most, that wait for the end of their word."""

Encode = Callable[[str], list[int]]


class TextTokenizer:
    """The tokens of Qwen's text, without control tokens: what a text spells of them is plain text."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelUnavailable where the folder has neither vocab.json with merges.txt nor tokenizer.json."""
        try:
            self._tokenizer = _of_vocabulary(folder) if (folder / "merges.txt").exists() else _of_json(folder)
        except Exception as error:  # the package raises plain Exceptions
            raise ModelUnavailable(f"the model folder {folder.name!r} has no readable tokenizer: {error}") from error

    def __call__(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _of_vocabulary(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _of_json(folder: Path) -> Tokenizer:
    said = json.loads((folder / "tokenizer.json").read_bytes())
    return Tokenizer.from_str(json.dumps({**said, "added_tokens": [], "post_processor": None}))


@dataclass
class TextPart:
    """Tokens that are spoken as one, in one breath of the model."""

    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    """No more tokens come."""


@dataclass(frozen=True)
class TextBreak:
    """What is between two parts: a silence that the text asks for, or a place up to which it is told to be said."""

    seconds: float = 0.0
    flushed: bool = False


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit."""
    return any(letter.isalnum() for letter in text)


class TextSource:
    """The parts of one request's text."""

    def __init__(self, encode: Encode, plain: PlainText | None = None) -> None:
        """`plain`: takes pauses, SSML and pronunciations out of the text."""
        self.plain = plain or PlainText()
        self.parts: deque[TextPart | TextBreak] = deque()
        self.tokens = 0
        """Number of tokens of all parts that ended."""
        self.spoken = False
        """Whether there was a letter or a digit."""
        self._encode = encode

    def feed(self, text: str) -> None:
        """Add text. Raises BadRequest for SSML that is wrong and for a pause that is too long."""
        raise NotImplementedError

    def flush(self) -> None:
        """Say the text so far to its end, and then give a break that tells of it. Raises BadRequest as `feed` does."""
        raise NotImplementedError

    def end(self) -> None:
        """The text is complete. Raises BadRequest as `feed` does."""
        raise NotImplementedError


class WholeText(TextSource):
    """A text that is known as a whole: parts of whole sentences."""

    def __init__(self, encode: Encode, text: str, plain: PlainText | None = None) -> None:
        """Raises BadRequest for SSML that is wrong and for a pause that is too long."""
        super().__init__(encode, plain)
        for said in self.plain.end(text):
            if isinstance(said, str):
                self._add(said)
            else:
                self.parts.append(TextBreak(said))

    def _add(self, text: str) -> None:
        for part in whole_parts(text, lambda one: len(self._encode(one))):
            if has_words(part):
                self.spoken = True
                tokens = self._encode(part.strip())
                self.parts.append(TextPart(tokens, True))
                self.tokens += len(tokens)


class WordText(TextSource):
    """Text that is being written, word by word, with the tokens of the whole text.

    A sentence ends a part that has fewer tokens than `least` by then: for what needs so many, or else all of a part,
    before it can begin.
    """

    def __init__(self, encode: Encode, plain: PlainText | None = None, least: int = 0) -> None:
        super().__init__(encode, plain)
        self._least = least
        self._rest = ""
        """What no word was taken from."""
        self._sentence = ""
        """The text since the last end of a sentence, while such an end matters."""
        self._lead = ""
        """Signs before the first word of a part."""
        self._part: TextPart | None = None
        """The part that words are added to; it may have begun to be spoken."""

    def feed(self, text: str) -> None:
        self._take(self.plain.feed(text))

    def flush(self) -> None:
        self._take(self.plain.flush())
        self._finish()
        self.parts.append(TextBreak(flushed=True))

    def end(self) -> None:
        self._take(self.plain.end())
        self._finish()

    def _take(self, found: Iterable[WordsOrSilence]) -> None:
        for said in found:
            if isinstance(said, str):
                self._add(said)
            else:
                self._finish()
                self.parts.append(TextBreak(said))

    def _add(self, text: str) -> None:
        self._rest += text
        if self._is_young:
            self._sentence += text
            complete, self._sentence = finished(self._sentence)
            behind = sum(map(len, complete)) + len(self._sentence)
            for sentence in complete:
                behind -= len(sentence)
                self._words(len(self._rest) - behind)
                if self._part is not None and self._is_young:
                    self._finish(max(0, len(self._rest) - behind))
        self._words(len(self._rest))
        if not self._is_young:
            self._sentence = ""

    @property
    def _is_young(self) -> bool:
        """Whether the end of a sentence ends the part."""
        return self._least > 0 and (self._part is None or len(self._part.tokens) < self._least)

    def _words(self, end: int) -> None:
        """Take the words of the rest that end before the character `end`."""
        start = 0
        for place in word_ends(self._rest):
            if place > end:
                break
            self._word(self._rest[start:place])
            start = place
        self._rest = self._rest[start:]

    def _finish(self, end: int | None = None) -> None:
        """End the part with the rest, or with its characters before `end`."""
        last = self._rest[:end].rstrip()
        self._rest = "" if end is None else self._rest[end:]
        if last:
            self._word(last)
        if end is None:
            self._sentence = self._lead = ""
        self._close()

    def _word(self, text: str) -> None:
        if self._part is None:
            self._lead = (self._lead + text).lstrip()
            if not has_words(self._lead):
                return
            text, self._lead, self.spoken = self._lead, "", True
            self._part = TextPart()
            self.parts.append(self._part)
        self._part.tokens += self._encode(text)
        size = len(self._part.tokens)
        if size >= MOST or (size >= PART and text.rstrip()[-1:] in STOPS):
            self._close()

    def _close(self) -> None:
        if self._part is not None:
            self._part.ended = True
            self.tokens += len(self._part.tokens)
            self._part = None


def whole_parts(text: str, count: Callable[[str], int]) -> Iterator[str]:
    """`text` in pieces of whole sentences with PART tokens at most; a longer sentence is cut at clauses or words."""
    together, size = "", 0
    for sentence in sentences(text):
        tokens = count(sentence)
        for piece in [sentence] if tokens <= PART else clauses(sentence, PART, count):
            tokens = count(piece)
            if together and size + tokens > PART:
                yield together
                together, size = "", 0
            together, size = together + piece, size + tokens
    if together:
        yield together


def word_ends(text: str) -> Iterator[int]:
    """Places in `text` at which no token goes across, whatever follows the text: before white space and signs.

    A word that is longer than LONGEST_WORD is cut anyway.
    """
    start = 0
    for place in range(1, len(text)):
        if _ends(text[place - 1], text[place]) or place - start >= LONGEST_WORD:
            yield place
            start = place


def _ends(before: str, after: str) -> bool:
    """Whether tokens end between the two characters."""
    if after.isspace():
        return not before.isspace()
    return before.isalnum() and unicodedata.category(after)[0] in "PS"
