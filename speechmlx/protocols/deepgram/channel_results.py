"""One channel of a live stream: the events of its session → Results, SpeechStarted and UtteranceEnd. Pure.

- Final results follow each other without gaps. Each word is in exactly one of them.
- They come at the end of a sentence, of a turn, after LONGEST seconds of words, at a flush, and in silence.
- `speech_final` comes once for what was said without a pause of `endpointing` seconds.
"""

from __future__ import annotations

from typing import Any

from speechmlx.conversation import events
from speechmlx.conversation.input.endpointing import MAX_TURN
from speechmlx.protocols.deepgram.heard import EPSILON, IDLE_MARGIN, PREFIX, Heard, TurnWords, within
from speechmlx.protocols.deepgram.listen_options import ListenOptions
from speechmlx.protocols.deepgram.results import ListenRequest, results
from speechmlx.protocols.deepgram.words import WordSpelling, alternative, rounded
from speechmlx.reading.sentences import finished
from speechmlx.types import Word

Message = dict[str, Any]

LOWEST_ENDPOINTING = 0.2
"""Seconds of silence that end a turn, at least: less is a part of speech."""
HIGHEST_SILENCE = 1.0
"""Seconds of silence after which words are final, whatever the client asked for."""
LONGEST = 1.5
"""Seconds of words that wait to be final in the middle of a turn, at most."""
SILENT = 5.0
"""Seconds of silence that one final result without words covers."""


def turn_silence(endpointing: float | None) -> float:
    """Seconds of silence that end a turn of the session, for words to be final."""
    if endpointing is None:
        return HIGHEST_SILENCE
    return min(HIGHEST_SILENCE, max(LOWEST_ENDPOINTING, endpointing))


class ChannelResults:
    """Channel number `channel[0]` of `channel[1]`. Give it every event of the session in order."""

    def __init__(self, options: ListenOptions, request: ListenRequest, channel: tuple[int, int] = (0, 1)) -> None:
        self._options = options
        self._request = request
        self._channel = channel
        self._spelling = WordSpelling.of(options)
        self._silence = turn_silence(options.endpointing)
        self._heard = Heard()
        self._window = 0.0
        """Where the last final result ended."""
        self._last_end: float | None = None
        """Where the last final word ended, until UtteranceEnd has said so."""
        self._stopped: TurnWords | None = None
        """The last turn whose end is known."""
        self._silent_since: float | None = None
        """Since when nobody speaks, where that did not last for `endpointing` seconds yet."""
        self.count = 0
        """Final words so far."""
        self._shown: tuple[Word, ...] = ()
        """The words of the last interim result."""

    def told_until(self, settled: float) -> float:
        """All audio before is told, if all turns that begin before `settled` seconds are done."""
        head = self._heard.head
        return max(self._window, settled if head is None else head.start)

    def state(self, at: float) -> Message:
        """What another one needs to go on where this one is, `at` seconds."""
        silent, head = self._silent_since, self._heard.head
        if head is not None and self._window > head.start:  # the turn has words, and nobody may say more
            silent = at + LOWEST_ENDPOINTING
        return {"window": self._window, "last_end": self._last_end, "silent_since": silent, "words": self.count}

    def restore(self, state: Message, at: float) -> None:
        """Go on where another was, `at` seconds."""
        self._window, self._last_end = state["window"], state["last_end"]
        self._silent_since, self.count = state["silent_since"], state["words"]
        self._heard.begin(at)

    @property
    def duration(self) -> float:
        """Seconds of audio that came."""
        return max(self._heard.received, self._window)

    def take(self, event: events.Event) -> list[Message]:
        """The messages that follow an event."""
        self._heard.take(event)
        messages: list[Message] = []
        match event:
            case events.SpeechStarted(at=at):
                messages = self._speech_started(at)
            case events.SpeechStopped():
                self._stopped = self._heard.newest
            case events.Flushed() if self._heard.newest is None:
                messages = [self._finalized([], self._heard.at - IDLE_MARGIN)]
            case events.TranscriptDelta() | events.TranscriptDone() | events.TranscriptFailed() | events.Flushed():
                messages = self._words()
        return messages + self._by_time()

    def finish(self) -> list[Message]:
        """What is left when the session has ended: the rest of the audio, which has no words."""
        if self._silent_since is None and self._window and self.duration - self._window < EPSILON:
            return []
        return [self._final([], self.duration, speech_final=self._silent_since is not None)]

    def abandon(self) -> list[Message]:
        """What is left when the session is ended early: the words so far, also those that are unsure."""
        words = self._heard.waiting
        return [self._final(words, words[-1].end, speech_final=True)] if words else []

    # --- words ---

    def _words(self) -> list[Message]:
        messages: list[Message] = []
        while (head := self._heard.head) is not None:
            while count := _ready(head):
                words, head.words = head.words[:count], head.words[count:]
                messages.append(self._final(words, words[-1].end))
            if head.flushes and (head.over or (head.end is None and head is self._heard.newest)):
                messages += self._flush(head)
            if not head.over:
                messages += self._interim(head)
                break
            messages += self._end_turn(head)
            self._heard.pop()
        return messages

    def _flush(self, turn: TurnWords) -> list[Message]:
        """The answers to the flushes: all words so far."""
        words, turn.words = turn.words, []
        end = self._heard.at if turn.end is None else turn.end
        count, turn.flushes, turn.answered = turn.flushes, 0, True
        return [self._finalized(words, end)] + [self._finalized([], self._window) for _ in range(count - 1)]

    def _end_turn(self, turn: TurnWords) -> list[Message]:
        following = self._heard.following
        goes_on = self._goes_on(turn, following)
        if goes_on and following is None and not turn.answered and not _is_cut(turn):
            self._silent_since = turn.paused
        no_end = goes_on or turn.answered or self._options.endpointing is None
        messages = [self._final(turn.words, self._heard.at if turn.end is None else turn.end, not no_end)]
        if following is not None and self._last_end is not None:
            messages += self._utterance_end(following.onset - self._last_end)
        return messages

    def _goes_on(self, turn: TurnWords, following: TurnWords | None) -> bool:
        """Whether what a turn says goes on in the following one, or may do so in the silence so far."""
        endpointing = self._options.endpointing
        if _is_cut(turn):
            return True
        if endpointing is None or turn.silence < self._silence - EPSILON:  # the audio ended it, not silence
            return False
        silence = turn.silence if following is None else turn.gap(following)
        return silence < endpointing - EPSILON

    def _interim(self, turn: TurnWords) -> list[Message]:
        words = (*turn.words, *turn.tail)
        if not self._options.interim_results or words == self._shown:
            return []
        self._shown = words
        heard = self._heard
        end = max([self._window, min(heard.at, heard.transcribed), *(word.end for word in words)])
        return [self._results(within(list(words), self._window), end, is_final=False)]

    def _final(self, words: list[Word], end: float, speech_final: bool = False, from_finalize: bool = False) -> Message:
        """A final result from the end of the last one to `end`."""
        words = within(words, self._window)
        if words:
            end = max(end, words[-1].end)
            self._last_end = words[-1].end
            self.count += len(words)
        end = max(end, self._window)
        message = self._results(words, end, is_final=True, speech_final=speech_final, from_finalize=from_finalize)
        self._window, self._shown = end, ()
        if speech_final:
            self._silent_since = None
        return message

    def _finalized(self, words: list[Word], end: float) -> Message:
        return self._final(words, end, speech_final=True, from_finalize=True)

    def _results(self, words: list[Word], end: float, **flags: bool) -> Message:
        language = self._heard.language if self._options.language is None and words else None
        found = alternative(words, self._spelling, language)
        return results(self._request, [found], (self._window, end), self._channel, **flags)

    # --- time ---

    def _speech_started(self, at: float) -> list[Message]:
        self._silent_since = None
        before, turn = self._stopped, self._heard.newest
        if not self._options.vad_events or (before is not None and self._goes_on(before, turn)):
            return []
        onset = at + PREFIX if at + PREFIX <= self._heard.at + 0.05 else at  # the end of another turn cuts the prefix
        return [{"type": "SpeechStarted", "channel": list(self._channel), "timestamp": rounded(onset)}]

    def _by_time(self) -> list[Message]:
        """What follows from the audio that has gone by."""
        heard, endpointing, silent = self._heard, self._options.endpointing, self._silent_since
        messages: list[Message] = []
        idle = heard.at - IDLE_MARGIN
        if silent is not None and endpointing is not None and heard.at - silent >= endpointing - EPSILON:
            messages.append(self._final([], idle, speech_final=True))
        messages += self._quiet()
        if heard.head is None and idle - self._window >= SILENT:
            messages.append(self._final([], idle))
        return messages

    def _quiet(self) -> list[Message]:
        """UtteranceEnd, where no words wait and none may come of the audio so far."""
        heard, turn, last = self._heard, self._heard.head, self._last_end
        if last is None or heard.has_words:
            return []
        return self._utterance_end(heard.at - last if turn is None else heard.transcribed - max(last, turn.start))

    def _utterance_end(self, silence: float) -> list[Message]:
        """UtteranceEnd after so many seconds without words, once for a last word, where that is asked for."""
        wanted, last = self._options.utterance_end, self._last_end
        if wanted is None or last is None or silence < wanted - EPSILON:
            return []
        self._last_end = None
        return [{"type": "UtteranceEnd", "channel": list(self._channel), "last_word_end": rounded(last)}]


def _is_cut(turn: TurnWords) -> bool:
    """Whether a turn ended because it was long, while somebody spoke."""
    return turn.paused is None and turn.end is not None and turn.end - turn.start >= MAX_TURN - 1


def _ready(turn: TurnWords) -> int:
    """How many of the words are final already in the middle of a turn: whole sentences, or all after LONGEST."""
    words = turn.words
    if not words:
        return 0
    if words[-1].end - words[0].start >= LONGEST:
        return len(words)
    sentences, _ = finished("".join(word.text for word in (*words, *turn.tail)))
    size = len("".join(sentences))
    count, length = 0, 0
    for number, word in enumerate(words, 1):
        length += len(word.text)
        if length > size:
            break
        count = number
    return count
