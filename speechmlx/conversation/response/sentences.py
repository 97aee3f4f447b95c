"""A text that is still being written → what can be said of it, for a voice that speaks while it is written. Pure.

Nothing waits but what may turn out to begin another sentence, unless the text comes so slowly that the sound would stop
inside one. The end of a sentence ends its sound too: so it is known at every moment which sentence is being heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from speechmlx.conversation.response.clauses import CLAUSE, FIRST_CLAUSE, LONGEST, LONGEST_FIRST_CLAUSE
from speechmlx.errors import BadRequest
from speechmlx.reading.pauses import LONGEST as LONGEST_PAUSE
from speechmlx.reading.pauses import PAUSE, seconds_of
from speechmlx.reading.sentences import STOPS, WIDE, finished

RATE = 50.0
"""Bytes of text a second that a voice takes: 12.5 tokens, one for each frame of 80 ms until the sentence is over."""
OPENED = re.compile(r"\[[^\[\]\n]{0,24}\Z")
"""What may become a pause."""
OPEN_STOPS = "".join(mark for mark in STOPS if mark not in WIDE)
"""Those that may also stand inside a sentence."""
NEXT_WORD = re.compile(r"\w\W")
"""A word that is complete: it tells whether a stop before it ended a sentence."""


@dataclass(frozen=True)
class SentencePiece:
    """The next characters of a sentence."""

    text: str
    ends: bool = False
    """The sentence ends with them."""
    pause: float = 0.0
    """Seconds of silence that the text asks for behind the sentence."""
    mark: str = ""
    """How it asks for them."""
    refused: BadRequest | None = field(default=None, compare=False)
    """Why the pause is shorter than it asks."""

    @property
    def is_mute(self) -> bool:
        """Whether a sentence of these characters alone has nothing that a voice says."""
        return self.ends and not any(letter.isalnum() for letter in self.text)


class SentenceSplitter:
    """Cuts one text that arrives in pieces. The pieces with their marks join to the text that was given out."""

    def __init__(self) -> None:
        self._sentence = ""
        self._given = 0
        """Characters of the sentence that were given out."""
        self._is_first = True
        self._began: float | None = None
        """When the text began to arrive, or to go on, on the caller's clock."""
        self._written = 0
        """Bytes since then."""

    def push(self, text: str, now: float) -> list[SentencePiece]:
        """Add `text`, which arrives at `now` seconds. Returns what can be said by it."""
        self._sentence += text
        self._began = now if self._began is None else self._began
        self._written += len(text.encode("utf-8", "surrogatepass"))
        found = list[SentencePiece]()
        while pause := PAUSE.search(self._sentence):
            rest = self._sentence[pause.end() :]
            self._sentence = self._sentence[: pause.start()]
            found += self._complete()
            found.append(self._end(len(self._sentence), pause))
            self._sentence = rest
        found += self._complete()
        while len(self._sentence) > LONGEST:
            found.append(self._end(self._sentence.rfind(" ", FIRST_CLAUSE, LONGEST) + 1 or LONGEST))
        if (safe := self._safe()) > self._given and self._goes_on(now - self._began):
            found.append(SentencePiece(self._sentence[self._given : safe]))
            self._given = safe
        return found

    @property
    def is_open(self) -> bool:
        """Whether there is some of a sentence that has no end yet."""
        return self._given > 0 or bool(self._sentence.strip())

    def flush(self) -> SentencePiece | None:
        """Let the sentence end as far as it goes: the text is over, or pauses. None where no sentence is open."""
        self._began, self._written = None, 0
        return self._end(len(self._sentence)) if self.is_open else None

    def _goes_on(self, seconds: float) -> bool:
        """Whether what is known of the sentence can be said before its end is known."""
        if self._given or len(self._sentence) >= LONGEST_FIRST_CLAUSE:
            return True
        return self._written >= max(FIRST_CLAUSE, RATE * seconds)

    def _complete(self) -> Iterator[SentencePiece]:
        """The sentences that are certainly complete. A short one goes on with the next."""
        complete, _ = finished(self._sentence, FIRST_CLAUSE if self._is_first else CLAUSE)
        end = 0
        for sentence in complete:
            end += len(sentence)
            if end >= self._given:  # else it was given out with what follows
                yield self._end(end)
                end = 0

    def _end(self, end: int, pause: re.Match[str] | None = None) -> SentencePiece:
        """Let the sentence end at its character `end`."""
        end = max(end, self._given)
        text = self._sentence[self._given : end]
        self._sentence, self._given, self._is_first = self._sentence[end:], 0, False
        return _before(pause, text) if pause else SentencePiece(text, True)

    def _safe(self) -> int:
        """How many characters of the sentence are certainly its own."""
        opened = OPENED.search(self._sentence, max(0, len(self._sentence) - 25))
        end = opened.start() if opened else len(self._sentence)
        stop = max(self._sentence.rfind(mark, 0, end) for mark in OPEN_STOPS) + 1
        if stop and not NEXT_WORD.search(self._sentence, stop, end):
            return stop
        return end


def _before(pause: re.Match[str], text: str) -> SentencePiece:
    """The end of a sentence that a pause follows, at most the longest one: what is before it may be said already."""
    try:
        return SentencePiece(text, True, seconds_of(pause), pause[0])
    except BadRequest as error:
        return SentencePiece(text, True, LONGEST_PAUSE, pause[0], error)
