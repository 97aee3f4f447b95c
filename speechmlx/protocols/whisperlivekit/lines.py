"""The events of a session → the lines of a caption: closed ones, the open one, and what is not final yet.

A closed line never changes. Silence is a line as well. Times are seconds into the session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from speechmlx.conversation.events import (
    Advanced,
    Committed,
    Event,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.types import Word

SILENCE = -2
"""Speaker of a line of silence."""
PAUSE = 5.0
"""Seconds: only a longer pause is a line."""
LONGEST = 30.0
"""Seconds of a line, at most, where it has more than one word."""
MOST_WORDS = 40
"""Words of a line, at most."""
SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’»)\]]*$""")
ABBREVIATION = re.compile(r"^(?:Mr|Mrs|Ms|Dr|Prof|St|[A-Z])\.$")
"""A word whose full stop ends no sentence."""


@dataclass(frozen=True)
class CaptionLine:
    """One line: what one speaker says, or a silence (`text` None)."""

    speaker: int
    text: str | None
    start: float
    end: float
    language: str | None = None
    """ISO 639-1 code, where it was detected."""
    words: int = 0
    item: str = ""
    """The turn that it belongs to."""
    translation: str | None = None


@dataclass
class SpokenTurn:
    """A turn whose words are not all in lines yet."""

    start: float
    pause: tuple[float, float] | None = None
    """Start and end of the silence before it, where that is longer than PAUSE."""
    words: list[Word] = field(default_factory=list)
    """Committed, not in a line."""
    unattributed: tuple[Word, ...] = ()
    tail: tuple[Word, ...] = ()
    language: str | None = None
    heard_until: float = 0.0
    """End of its last committed word."""
    is_committed: bool = False
    is_over: bool = False
    """No more words of it come."""


class LineBuilder:
    """Builds the lines of one session. `prefix`: seconds of a turn before its first speech.

    Words of a turn come into lines only when the turns before it are over, so that lines are in order. Its memory is
    bounded by the turns under way; `drain` takes the closed lines.
    """

    def __init__(self, prefix: float) -> None:
        self.open: CaptionLine | None = None
        """The line that words are added to. Its text is final, its end is not."""
        self._prefix = prefix
        self._closed: list[CaptionLine] = []
        self._turns: dict[str, SpokenTurn] = {}
        """In order, by item."""
        self._position = 0.0
        self._quiet_since: float | None = 0.0
        """Since when nobody speaks. None: somebody speaks."""
        self._pause: tuple[float, float] | None = None
        """A silence whose line is not closed: words have not come since."""
        self._last_end = 0.0
        """End of the last line."""
        self._placed_until = 0.0
        """End of the last word in a line."""
        self._speakers: dict[str, int] = {}
        """Numbers of the speakers, in order of their first words."""
        self._known = 0
        """Speakers before them."""
        self._speaker = 1
        """Number of the last one."""

    # --- what it shows ---

    def drain(self) -> list[CaptionLine]:
        """The lines that were closed since the last call."""
        closed, self._closed = self._closed, []
        return closed

    @property
    def unattributed(self) -> str:
        """Final words whose speaker is not known yet. They follow the open line."""
        return "" if (turn := self._oldest) is None else _text(turn.unattributed).strip()

    @property
    def tail(self) -> str:
        """What follows them: words that may change, and those of later turns."""
        later = [_text((*turn.words, *turn.unattributed, *turn.tail)) for turn in islice(self._turns.values(), 1, None)]
        return joined("" if (turn := self._oldest) is None else _text(turn.tail), *later)

    @property
    def unattributed_since(self) -> float | None:
        """Start of the first word that waits for its speaker."""
        return next((turn.unattributed[0].start for turn in self._turns.values() if turn.unattributed), None)

    @property
    def committed_until(self) -> float | None:
        """Up to where the words of the oldest turn under way are final. None: there is no turn."""
        turn = self._oldest
        return None if turn is None else max(turn.start, turn.heard_until)

    @property
    def _oldest(self) -> SpokenTurn | None:
        return next(iter(self._turns.values()), None)

    # --- for other servers ---

    def told_until(self, settled: float) -> float:
        """All words before are in lines, if all turns that begin before `settled` seconds are done."""
        turn = self._oldest
        return max(settled, self._placed_until) if turn is None else max(turn.start, self._placed_until)

    def state(self) -> dict[str, Any]:
        """What another one needs to go on where this one is."""
        return {
            "open": None if self.open is None else asdict(self.open),
            "quiet_since": self._quiet_since,
            "pause": self._pause,
            "last_end": self._last_end,
            "speaker": self._speaker,
            "placed_until": self._placed_until,
        }

    def restore(self, state: dict[str, Any], at: float) -> None:
        """Go on where another was, `at` seconds. Its open line is closed: what follows is a new turn.

        Speakers have new numbers: they are told apart from here on.
        """
        self._position, self._quiet_since = at, at if state["quiet_since"] is None else state["quiet_since"]
        self._pause = None if state["pause"] is None else (state["pause"][0], state["pause"][1])
        self._last_end, self._placed_until = state["last_end"], state["placed_until"]
        self._known = self._speaker = state["speaker"]
        self.open = None if state["open"] is None else CaptionLine(**state["open"])
        self._close()

    # --- events ---

    def take(self, event: Event) -> None:
        """One event of the session, in order."""
        match event:
            case Advanced():
                self._position = max(self._position, event.at)
            case SpeechStarted(item, at):
                self._start(item, at)
            case SpeechPaused():
                self._quiet_since = event.since
            case SpeechResumed():
                self._quiet_since = None
            case SpeechStopped(_, at):
                self._position = max(self._position, at)
                self._quiet_since = at if self._quiet_since is None else self._quiet_since
            case Committed(item) if item in self._turns:
                self._turns[item].is_committed = True
            case TranscriptDelta(item, update):
                self._hear(self._turns.get(item) or self._late(item), update)
            case TranscriptDone(item) | TranscriptFailed(item) if item in self._turns:
                self._end(self._turns[item])
        self._place()

    def finish(self) -> None:
        """The session is over: close all lines, and the silence at the end."""
        for turn in self._turns.values():
            self._end(turn)
        self._place()
        if self._quiet_since is not None:
            self._add_pause((self._quiet_since, self._position))
        self._close_pause(self._position)

    def _start(self, item: str, at: float) -> None:
        for turn in self._turns.values():
            if not turn.is_committed:  # it was dropped: this one is in its place
                self._end(turn)
        turn = self._turns[item] = SpokenTurn(at)
        if self._quiet_since is not None and at + self._prefix - self._quiet_since > PAUSE:
            turn.pause = (self._quiet_since, at + self._prefix)
        self._quiet_since = None

    def _late(self, item: str) -> SpokenTurn:
        """A turn of which only words come."""
        turn = self._turns[item] = SpokenTurn(self._position, is_over=True)
        return turn

    def _hear(self, turn: SpokenTurn, update: TranscriptUpdate) -> None:
        words = update.committed
        if update.text and not words:  # recognised whole, by a model without times of words
            start = max(turn.start, turn.heard_until)
            words = (Word(update.text, start, max(start, self._position), 1.0),)
        turn.words += words
        turn.heard_until = words[-1].end if words else turn.heard_until
        turn.unattributed, turn.tail = update.unattributed, update.tail
        turn.language = update.language or turn.language

    def _end(self, turn: SpokenTurn) -> None:
        turn.unattributed, turn.tail, turn.is_over = (), (), True

    # --- lines ---

    def _place(self) -> None:
        """Put words into lines, of the oldest turn and of each that follows one that is over."""
        while self._turns:
            item, turn = next(iter(self._turns.items()))
            if turn.pause is not None:
                self._add_pause(turn.pause)
                turn.pause = None
            for word in turn.words:
                self._add(word, turn.language, item)
                self._placed_until = word.end
            turn.words.clear()
            if not turn.is_over:
                return
            self._close()
            del self._turns[item]

    def _add(self, word: Word, language: str | None, item: str) -> None:
        speaker, count = self._number(word), len(word.text.split())
        line = self.open
        if line is not None and (
            speaker != line.speaker or word.end - line.start > LONGEST or line.words + count > MOST_WORDS
        ):
            self._close()
            line = None
        if line is None:
            self._close_pause(word.start)
            start = max(word.start, self._last_end)
            line = CaptionLine(speaker, "", start, start, item=item)
        text = (line.text or "") + word.text
        self.open = replace(
            line, text=text, end=max(line.end, word.end), language=language or line.language, words=line.words + count
        )
        if SENTENCE_END.search(word.text.rstrip()) and not ABBREVIATION.match(word.text.strip()):
            self._close()

    def _number(self, word: Word) -> int:
        """The number of a word's speaker. Punctuation, and a word of nobody, is the last speaker's."""
        if word.speaker is not None and any(character.isalnum() for character in word.text):
            self._speaker = self._speakers.setdefault(word.speaker, self._known + len(self._speakers) + 1)
        return self._speaker

    def _close(self) -> None:
        line, self.open = self.open, None
        if line is not None:
            self._closed.append(line)
            self._last_end = line.end

    def _add_pause(self, pause: tuple[float, float]) -> None:
        """A silence before the next words. Without words between them, two are one."""
        if pause[1] - pause[0] > PAUSE:
            self._pause = (self._pause or pause)[0], pause[1]

    def _close_pause(self, until: float) -> None:
        """Make the silence a line that ends at `until` at the latest."""
        pause, self._pause = self._pause, None
        if pause is not None and (end := min(pause[1], until)) > (start := max(pause[0], self._last_end)):
            self._closed.append(CaptionLine(SILENCE, None, start, end))
            self._last_end = end


def joined(*texts: str) -> str:
    """Texts one after the other, with a space between them."""
    return " ".join(text.strip() for text in texts if text.strip())


def _text(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)
