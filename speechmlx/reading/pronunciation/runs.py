"""Readers of whole runs of words, for languages that a program converts: espeak-ng, misaki's Japanese and Chinese."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from speechmlx.reading.pronunciation import alphabet
from speechmlx.reading.pronunciation.said import Said
from speechmlx.reading.tokens import Pause, SpokenWord, Token

LONGEST = 400  # letters of a run that is converted at once; words of longer runs go into the next


@dataclass(frozen=True)
class Runs:
    """Converts the words between two marks at once, since their neighbours matter (liaison, readings of kanji)."""

    in_runs: ClassVar[bool] = True

    convert: Callable[[str], str]
    blanks: bool
    """Whether blanks part the words of the language."""

    def phonemes(self, tokens: Sequence[Token]) -> Said:
        """The phonemes of each token. Where the converter joins words, the first of them has the sound of all."""
        steps = self.steps(tokens)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                said: Said = end.value
                return said

    def steps(self, tokens: Sequence[Token]) -> Generator[None, None, Said]:
        """As `phonemes`, in steps: one for each run."""
        said: Said = []
        run: list[SpokenWord] = []
        for token in tokens:
            if isinstance(token, SpokenWord) and token.phonemes is None:
                if sum(len(word.text) + 1 for word in run) + len(token.text) > LONGEST:
                    said += self._run(run)
                    run = []
                    yield
                run.append(token)
                continue
            if run:
                said += self._run(run)
                run = []
                yield
            said.append((_own(token), token))
        return said + self._run(run)

    def _run(self, words: list[SpokenWord]) -> Said:
        if not words:
            return []
        sound = self.convert((" " if self.blanks else "").join(word.text for word in words)).strip()
        sounds = sound.split(" ")
        if self.blanks and len(sounds) == len(words):
            return list(zip(sounds, words, strict=True))
        return [(sound, words[0]), *(("", word) for word in words[1:])]


def _own(token: Token) -> str:
    """The phonemes that a token brings itself."""
    if isinstance(token, Pause):
        return token.mark if token.mark in alphabet.KOKORO else ""
    return alphabet.given(token.phonemes or "", british=True)
