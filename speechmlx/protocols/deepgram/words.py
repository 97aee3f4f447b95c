"""Recognised words → the words and transcripts of Deepgram's API: spelling, fillers, replacements, speakers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speechmlx.protocols.deepgram.listen_options import ListenOptions
from speechmlx.types import Word

MARKS = ".,;:!?…\"'`“”‘’«»‹›()[]{}<>*~|¿¡،؛؟、。，！？；：।॥۔「」『』【】（）《》〈〉—–-"
"""Characters that are no part of a word at either end of it."""
FILLERS = frozenset("uh um uhm erm mhmm mm-mm uh-uh uh-huh nuh-uh".split())
PROFANE = frozenset(
    "arsehole asshole assholes bastard bastards bitch bitches bollocks bullshit cock cocks cocksucker cunt cunts "
    "dick dickhead dicks faggot fuck fucked fucker fuckers fuckin fucking fucks goddamn motherfucker motherfuckers "
    "motherfucking nigger niggers piss pissed prick pussy shit shits shitty slut sluts twat wanker wankers whore "
    "whores".split()
)
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class WordSpelling:
    """How words are written. `punctuate` False: transcripts are in small letters, without punctuation."""

    punctuate: bool = False
    filler_words: bool = False
    profanity_filter: bool = False
    replace: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, options: ListenOptions) -> WordSpelling:
        """The spelling that a client asked for."""
        return cls(options.punctuate, options.filler_words, options.profanity_filter, options.replace)

    def words(self, words: Sequence[Word]) -> list[Word]:
        """The words without those that are filtered out, and with replacements. The rest keep their times."""
        dropped = (frozenset() if self.filler_words else FILLERS) | (PROFANE if self.profanity_filter else frozenset())
        kept = [word for word in words if plain(word.text) not in dropped]
        for found, instead in self.replace:
            kept = list(_replaced(kept, [plain(part) for part in found.split()], instead))
        return kept

    def transcript(self, words: Sequence[Word]) -> str:
        """The text of `words`, which went through `self.words`."""
        if self.punctuate:
            return "".join(word.text for word in words).strip()
        return "".join(_space(word) + plain(word.text) for word in words).strip()


def plain(text: str) -> str:
    """A word in small letters, without punctuation around it."""
    return text.strip().strip(MARKS).strip().lower()


def spelt(words: Sequence[Word], language: str | None = None) -> list[dict[str, Any]]:
    """The `words` of an alternative. `language`: named by each word, where the client has it detected."""
    return [_word(word, language) for word in words]


def alternative(words: Sequence[Word], spelling: WordSpelling, language: str | None = None) -> dict[str, Any]:
    """{"transcript", "confidence", "words"}; with a detected `language` also "languages"."""
    words = spelling.words(words)
    found: dict[str, Any] = {
        "transcript": spelling.transcript(words),
        "confidence": confidence(words),
        "words": spelt(words, language),
    }
    if language is not None:
        found["languages"] = [language]
    return found


def confidence(words: Sequence[Word]) -> float:
    """The mean confidence of words; 0 for none."""
    return rounded(sum(word.confidence for word in words) / len(words)) if words else 0.0


def speaker_number(speaker: str | None) -> int | None:
    """A speaker as Deepgram counts them, from 0."""
    found = None if speaker is None else DIGITS.search(speaker)
    return int(found[0]) if found else None


def rounded(value: float) -> float:
    """A number with six decimals, which is enough for times and confidences."""
    return round(value, 6)


def _word(word: Word, language: str | None) -> dict[str, Any]:
    written = word.text.strip()
    found: dict[str, Any] = {
        "word": plain(word.text) or written,
        "start": rounded(word.start),
        "end": rounded(word.end),
        "confidence": rounded(min(1.0, max(0.0, word.confidence))),
        "punctuated_word": written,
    }
    if language is not None:
        found["language"] = language
    if (speaker := speaker_number(word.speaker)) is not None:
        found["speaker"] = speaker
    return found


def _space(word: Word) -> str:
    return word.text[: len(word.text) - len(word.text.lstrip())]


def _replaced(words: list[Word], found: list[str], instead: str) -> Iterator[Word]:
    """`words` with each run that reads `found` as one word `instead`, or left out where that is empty."""
    at = 0
    while at < len(words):
        run = words[at : at + len(found)]
        if not found or [plain(word.text) for word in run] != found:
            yield words[at]
            at += 1
            continue
        at += len(found)
        if instead:
            stripped = run[-1].text.rstrip()
            ending = stripped[len(stripped.rstrip(MARKS)) :]
            confidence = min(word.confidence for word in run)
            yield replace(run[0], text=_space(run[0]) + instead + ending, end=run[-1].end, confidence=confidence)
