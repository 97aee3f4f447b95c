"""The turns of Flux: the events of a session → TurnInfo messages. Pure; times are seconds of audio.

A turn here may hold several turns of the session, whose short silences make words final. It ends by confidence: the
longer the silence, the likelier nobody goes on, and sooner after the end of a sentence.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import Any, Literal

from speechmlx.conversation import events
from speechmlx.conversation.input.endpointing import MAX_TURN
from speechmlx.protocols.deepgram.flux_options import FluxThresholds
from speechmlx.protocols.deepgram.heard import EPSILON, Heard, TurnWords, within
from speechmlx.protocols.deepgram.words import WordSpelling, rounded
from speechmlx.reading.sentences import CLOSERS, STOPS
from speechmlx.types import Word

Message = dict[str, Any]
Happening = Literal["Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"]
Trigger = Literal["model", "manual", "timeout"]

SILENCE = 0.4
"""Seconds of silence after which words are final."""
UPDATE = 0.25
"""Seconds of audio between two Updates."""
STEEPNESS = 5.0
"""Of the confidence over the seconds of silence."""
EVEN_AFTER_SENTENCE, EVEN = 0.35, 0.8
"""Seconds of silence at which a turn is over with confidence 0.5: after the end of a sentence, and otherwise."""
SUREST = 0.999
"""The highest confidence: a client that wants 1.0 waits for its timeout."""
UNSURE = 0.29
"""The highest confidence while words are unsure: below every threshold that a client may set."""
NOISE = 1.0
"""Seconds of a turn of the session that has no words so far, after which it is no speech."""


def end_confidence(silence: float, text: str) -> float:
    """How sure it is that a turn is over `silence` seconds after its `text`; 0 while somebody speaks."""
    if silence <= 0 or not text:
        return 0.0
    ends_sentence = text.rstrip(CLOSERS + " ")[-1:] in tuple(STOPS)
    even = EVEN_AFTER_SENTENCE if ends_sentence else EVEN
    return min(SUREST, 1 / (1 + math.exp(-STEEPNESS * (silence - even))))


class TurnState(Enum):
    """Where Flux is in a turn."""

    INITIAL = auto()
    ONGOING = auto()
    AWAITING_END = auto()
    """An EagerEndOfTurn was sent."""


class FluxTurns:
    """Give it every event of the session in order."""

    def __init__(self, thresholds: FluxThresholds, spelling: WordSpelling, detects_language: bool = False) -> None:
        self.thresholds = thresholds
        self.hints: tuple[str, ...] = ()
        """Languages that the client named; they are told in every message."""
        self.ends_by: Trigger = "timeout"
        """What a turn ended by that the missing of audio ended."""
        self._spelling = spelling
        self._detects_language = detects_language
        self._heard = Heard()
        self._state = TurnState.INITIAL
        self.index = 0
        """Turns that are over."""
        self._window = 0.0
        """Where the turn's audio begins."""
        self._words: list[Word] = []
        """The final words of the turn."""
        self._tail: tuple[Word, ...] = ()
        self._silent_since: float | None = None
        """Since when nobody speaks."""
        self._lapsed = False
        """Whether the audio stopped in the turn."""
        self._told = 0.0
        """Seconds of audio at the newest message."""

    def take(self, event: events.Event) -> list[Message]:
        """The messages that follow an event."""
        self._heard.take(event)
        self._note_silence(event)
        messages = self._new_words()
        if isinstance(event, events.Flushed) and self._heard.newest is None:
            messages += self._end("manual")
        messages += self._by_time()
        if not messages and isinstance(event, events.Advanced) and self._heard.at - self._told >= UPDATE - EPSILON:
            messages = [self._info("Update")]
        return messages

    def end(self, trigger: Trigger) -> list[Message]:
        """End the turn under way, if there is one, with all words so far."""
        self._words += self._heard.waiting
        while (head := self._heard.head) is not None:
            head.words, head.tail = [], ()
            self._heard.pop()
        self._tail = ()
        return self._started() + self._end(trigger)

    def told_until(self, settled: float) -> float:
        """All audio before has its words in the turn so far, if all before `settled` seconds is done."""
        head, last = self._heard.head, self._words[-1].end if self._words else self._window
        return max(last, settled) if head is None else max(head.start, last)

    def state(self, at: float) -> Message:
        """What another one needs to go on where this one is, `at` seconds."""
        silent = at if self._silent_since is None and self._heard.head is not None else self._silent_since
        return {
            "state": self._state.name,
            "index": self.index,
            "window": self._window,
            "words": [[word.text, word.start, word.end, word.confidence] for word in self._words],
            "silent_since": silent,
            "language": self._heard.language,
        }

    def restore(self, state: Message, at: float) -> None:
        """Go on where another was, `at` seconds."""
        self._state, self.index, self._window = TurnState[state["state"]], state["index"], state["window"]
        self._words = [Word(*fields) for fields in state["words"]]
        self._silent_since = state["silent_since"]
        self._heard.begin(at)
        self._heard.language = state["language"]
        self._told = at

    @property
    def settled(self) -> bool:
        """Whether all words of the turn are final."""
        head = self._heard.head
        return head is None or self._is_noise(head)

    # --- words ---

    def _new_words(self) -> list[Message]:
        before = (*self._words, *self._tail)
        messages: list[Message] = []
        self._tail = ()
        while (head := self._heard.head) is not None:
            self._words += head.words
            head.words = []
            if head.flushes and (head.over or (head.end is None and head is self._heard.newest)):
                head.flushes = 0
                messages += self._started() + self._end("manual")
            if not head.over:
                break
            messages += self._gap(head)
            self._heard.pop()
        if self._words and self._words[-1].end - self._words[0].start >= MAX_TURN:
            messages += self._started() + self._end("timeout")
        self._tail = () if head is None else head.tail
        if (*self._words, *self._tail) != before:
            messages += self._started()
        return messages

    def _started(self) -> list[Message]:
        """The message that the turn starts or goes on, if it has words and that is news."""
        if not self._words and not self._tail:
            return []
        match self._state:
            case TurnState.INITIAL:
                self._state = TurnState.ONGOING
                return [self._info("StartOfTurn")]
            case TurnState.AWAITING_END:
                self._state = TurnState.ONGOING
                return [self._info("TurnResumed")]
        return []

    def _gap(self, turn: TurnWords) -> list[Message]:
        """The end of the turn in the silence after a turn of the session, where the next one is known already."""
        following = self._heard.following
        if following is None or not self._words:
            return []
        gap = turn.gap(following)
        confidence = end_confidence(gap, self._text())
        if confidence < self.thresholds.eot_threshold and gap < self.thresholds.timeout:
            return []
        trigger: Trigger = "model" if confidence >= self.thresholds.eot_threshold else "timeout"
        return self._started() + self._end(trigger, following.start, confidence)

    def _end(self, trigger: Trigger, at: float | None = None, confidence: float | None = None) -> list[Message]:
        """The end of the turn, if there is one, where the audio is now, or `at`."""
        if self._state is TurnState.INITIAL:
            return []
        message = self._info("EndOfTurn", at, confidence)
        message["trigger"] = trigger
        self._state, self.index, self._words, self._tail = TurnState.INITIAL, self.index + 1, [], ()
        self._window, self._lapsed = message["audio_window_end"], False
        return [message]

    # --- silence ---

    def _note_silence(self, event: events.Event) -> None:
        match event:
            case events.SpeechStarted() | events.SpeechResumed():
                self._silent_since, self._lapsed = None, False
            case events.SpeechPaused(since=since):
                self._silent_since = since
            case events.SpeechStopped(at=at) if (turn := self._heard.newest) is not None:
                self._lapsed = turn.silence < SILENCE - EPSILON and at - turn.start < MAX_TURN - 1

    def _silence(self) -> float:
        """Seconds of silence after the words so far."""
        head, heard = self._heard.head, self._heard
        if head is not None and self._is_noise(head):
            return heard.transcribed - self._words[-1].end if self._words else 0.0
        return 0.0 if self._silent_since is None else max(0.0, heard.at - self._silent_since)

    def _is_noise(self, turn: TurnWords) -> bool:
        """Whether the turn of the session that is under way has no words, and is no speech."""
        is_new = not self._words or self._words[-1].end <= turn.start + EPSILON
        return turn.end is None and not turn.tail and is_new and self._heard.transcribed - turn.start >= NOISE

    def _by_time(self) -> list[Message]:
        if self._state is TurnState.INITIAL or not self.settled:
            return []
        if self._lapsed:
            return self._end(self.ends_by)
        silence, thresholds = self._silence(), self.thresholds
        confidence = self._confidence()
        if confidence >= thresholds.eot_threshold:
            return self._end("model")
        if silence >= thresholds.timeout - EPSILON:
            return self._end("timeout")
        eager = thresholds.eager_eot_threshold
        if eager is not None and confidence >= eager and self._words and self._state is TurnState.ONGOING:
            self._state = TurnState.AWAITING_END
            return [self._info("EagerEndOfTurn")]
        return []

    def _text(self) -> str:
        return self._spelling.transcript([*self._words, *self._tail])

    def _confidence(self) -> float:
        found = rounded(end_confidence(self._silence(), self._text()))  # it is compared as it is told
        return found if self.settled else min(found, UNSURE)

    # --- messages ---

    def _info(self, event: Happening, at: float | None = None, confidence: float | None = None) -> Message:
        words = self._spelling.words(within([*self._words, *self._tail], self._window))
        end = max([self._window, self._heard.at if at is None else at, *(word.end for word in words)])
        self._told = self._heard.at
        message: Message = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self.index,
            "audio_window_start": rounded(self._window),
            "audio_window_end": rounded(end),
            "transcript": self._spelling.transcript(words),
            "words": [_word(word) for word in words],
            "end_of_turn_confidence": rounded(self._confidence() if confidence is None else confidence),
        }
        if self._detects_language and words and self._heard.language is not None:
            message["languages"] = [self._heard.language]
        if self.hints:
            message["languages_hinted"] = list(self.hints)
        return message


def _word(word: Word) -> Message:
    return {
        "word": word.text.strip(),
        "start": rounded(word.start),
        "end": rounded(word.end),
        "confidence": rounded(min(1.0, max(0.0, word.confidence))),
    }
