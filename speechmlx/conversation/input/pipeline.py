"""The hearing half of a session: audio in, turns and their words out."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.errors import TooShort
from speechmlx.conversation.input.audio import AudioInput
from speechmlx.conversation.input.buffer import RATE, AudioBuffer
from speechmlx.conversation.input.endpointing import (
    Decision,
    IdleTimeout,
    TurnEnded,
    TurnPaused,
    TurnResumed,
    TurnStarted,
)
from speechmlx.conversation.input.transcription import Transcriber, Transcript, TurnTranscription
from speechmlx.conversation.input.turn_detection import UNHEARD, TurnDetector
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.errors import SpeechError, TooLarge
from speechmlx.types import Audio, Priority

if TYPE_CHECKING:
    from speechmlx.types import Samples

SHORTEST = 0.1
"""Seconds of audio that can be committed, at least."""
LONGEST = 900.0
"""Seconds of audio that may wait to be committed."""
QUIET = 30.0
"""Seconds kept, of what a speech detector has heard, while nobody speaks."""
MOUTHFUL = 0.1
"""Seconds: less is not given to a live recogniser unless the turn pauses or ends."""
AT_ONCE = 3.0
"""Seconds: a longer piece of audio is a recording, not a person speaking now."""


@dataclass
class UserTurn:
    """Audio that is becoming an item; `item` is its id."""

    item: str
    start: float
    transcription: TurnTranscription
    fed: float
    """Up to where live recognition has heard it."""
    live: bool = True
    found: bool = False
    """The listener was told that it started."""


CommitReason = Literal["speech", "silence", "client"]


class InputObserver(Protocol):
    """Who is told. Every method returns at once."""

    def turn_started(self, item: str, at: float) -> None: ...

    def turn_paused(self, guess: Awaitable[Transcript]) -> None:
        """The turn may be over; `guess` has its words if it is."""

    def turn_resumed(self) -> None: ...

    def turn_ended(self, item: str, at: float) -> None: ...

    def idle_timed_out(self, item: str, start: float, at: float) -> None: ...

    def turn_committed(self, turn: UserTurn, audio: Audio, reason: CommitReason, silence: float) -> None:
        """The turn is committed, found by the speech detector (after `stopped`), by silence (after `idle`) or hand.

        `silence`: seconds since its last speech, where a detector found them.
        """

    def words_committed(self, item: str, text: str) -> None:
        """More words of a turn that will not change."""

    def input_failed(self, error: SpeechError) -> None: ...


class InputPipeline:
    """One client's audio, from bytes to committed turns."""

    def __init__(self, engines: Engines, settings: Settings, observer: InputObserver) -> None:
        self.buffer = AudioBuffer()
        self.settings = settings
        self.transcriber = Transcriber(engines)
        self._engines = engines
        self._observer = observer
        self._microphone = AudioInput(engines, settings.input, settings.clean, self._hear, observer.input_failed)
        self._mark = 0.0
        self._ear: TurnDetector | None = None
        self._turn: UserTurn | None = None
        self._found = False
        """The last turn was found, not ended by hand."""
        self._expected: float | None = None
        """Seconds from which on silence is idle."""

    @property
    def waiting(self) -> float:
        """Seconds of audio not committed."""
        return self.buffer.end - max(self._mark, self.buffer.start)

    async def configure(self, settings: Settings) -> None:
        """Other settings from the next audio on."""
        await self._microphone.switch(settings.input, settings.clean)
        given = settings.transcription or Transcription()
        if given.model != self.transcriber.settings.model:
            self.transcriber.can_live = True
        self.transcriber.settings = given
        before, self.settings = self.settings.turns, settings  # the noise reduction may give out audio meanwhile
        if settings.turns is None or before is None:
            await self._stop_ear()
            if self._turn is not None:
                self._go_on(self._turn)
        elif self._ear is not None:
            self._ear.turns.settings = settings.turns

    async def push(self, data: bytes) -> None:
        """The next bytes; waits while the speech detector is far behind.

        Raises TooLarge when turns are committed by hand and nothing was for too long.
        """
        if self._ear is not None:
            await self._ear.within(LONGEST)
        elif self.settings.turns is None and self.waiting > LONGEST:
            raise TooLarge(f"the audio buffer holds {LONGEST / 60:.0f} minutes, its limit: commit or clear it")
        await self._microphone.push(data)

    async def has_speech(self) -> bool:
        """Whether there is enough to commit: of audio in which turns are found, once all is heard, speech."""
        if self._ear is None:
            return self.waiting >= SHORTEST
        await self._ear.within(UNHEARD)
        return self._turn is not None and self._turn.found

    async def commit(self) -> None:
        """What waits is a turn; nothing at all where a detector has just ended one. Raises TooShort."""
        await self._microphone.flush()
        if self.waiting < SHORTEST - 1e-6:
            if self._found and self.settings.turns is not None:
                return
            raise TooShort(self.waiting, SHORTEST)
        turn = self._turn or self._begin(self._mark)
        if self._ear is None or self.buffer.end - self._ear.heard > UNHEARD:
            self._go_on(turn)
        await self._stop_ear()
        self._tell_stopped()
        self._finish(turn, self.buffer.end, "client")

    async def lapse(self) -> None:
        """Audio is missing: a turn that a detector follows is over, as if silence had come."""
        if self.settings.turns is not None:
            await self._microphone.settle()
            if self._ear is not None:
                self._ear.end()

    async def clear(self) -> None:
        """Forget what waits."""
        await self._microphone.flush()
        self._tell_stopped()
        if self._turn is not None:
            self._turn.transcription.cancel()
        self._turn, self._found = None, False
        self._mark = self.buffer.end
        self.buffer.discard_before(self._mark)
        await self._stop_ear()

    def expect_until(self, at: float | None) -> None:
        """An answer will have been heard at `at` seconds: silence after it may be idle; None: one is under way."""
        self._expected = at
        if self._ear is not None:
            self._ear.turns.expect(at)

    async def close(self) -> None:
        await self._stop_ear()
        if self._turn is not None:
            self._turn.transcription.cancel()
        await self._microphone.close()

    async def _hear(self, samples: Samples) -> None:
        if not len(samples):
            return
        if self.settings.turns is not None and self._ear is None:
            self._ear = TurnDetector(
                self._engines,
                self.settings.turns,
                self.buffer,
                self._advance,
                self._decide,
                self._observer.input_failed,
            )
            self._ear.turns.expect(self._expected)
        self.buffer.add(samples)
        if self._ear is None:
            turn = self._turn or self._begin(self._mark)
            turn.live = turn.live and len(samples) <= AT_ONCE * RATE
            self._feed(turn, self.buffer.end)
        else:
            self._ear.feed(samples)

    def _advance(self, at: float) -> None:
        """The speech detector has heard the audio up to `at`; what is beyond may be another turn's."""
        turn, turns = self._turn, self.settings.turns
        if turn is None:
            self.buffer.discard_before(at - max(QUIET, 0.0 if turns is None else turns.prefix))
            return
        if at - turn.fed >= MOUTHFUL:
            self._feed(turn, at)
        if at - turn.start >= LONGEST:  # it began before the detector listened, and nobody has spoken since
            self._finish(turn, at, "client")

    def _feed(self, turn: UserTurn, until: float) -> None:
        """Give it to live recognition; while the turn may be over, and is heard whole, that has to wait."""
        if turn.live and until > turn.fed and not turn.transcription.guesses:
            turn.transcription.feed(self.buffer.slice(turn.fed, until).samples)
            turn.fed = until

    def _begin(self, start: float) -> UserTurn:
        if self._turn is not None:
            self._turn.transcription.cancel()
        item = new_id("item")
        # An answered turn is heard whole at its end: its live words must not keep that, or another's answer, waiting.
        priority = Priority.INTERACTIVE if self.settings.answers else Priority.REALTIME
        hearing = TurnTranscription(self.transcriber, lambda text: self._observer.words_committed(item, text), priority)
        self._turn = UserTurn(item, start, hearing, start)
        return self._turn

    def _decide(self, decision: Decision) -> None:
        match decision:
            case TurnStarted(at):
                self._expected = None
                turn = self._begin(max(at, self._mark))
                turn.found = True
                self._observer.turn_started(turn.item, turn.start)
                if self._ear is not None:
                    self._feed(turn, self._ear.heard)
            case TurnPaused(_, at) if self._turn is not None:
                guessed = self._turn.transcription.guess(self.buffer.slice(self._turn.start, at), self.settings.answers)
                if guessed is None:
                    self._feed(self._turn, at)
                else:
                    self._observer.turn_paused(guessed)
            case TurnResumed() if self._turn is not None:
                self._go_on(self._turn)
            case TurnEnded(at, silence) if self._turn is not None:
                self._observer.turn_ended(self._turn.item, at)
                self._finish(self._turn, at, "speech", silence)
            case IdleTimeout(start, at):
                self._expected = None
                turn = self._begin(max(start, self._mark))
                self._observer.idle_timed_out(turn.item, turn.start, at)
                self._finish(turn, at, "silence")

    def _go_on(self, turn: UserTurn) -> None:
        """There is more to it than was heard at a pause."""
        turn.transcription.resume()
        self._observer.turn_resumed()

    def _tell_stopped(self) -> None:
        """The turn under way is ended by hand."""
        if self._turn is not None and self._turn.found:
            self._observer.turn_ended(self._turn.item, self.buffer.end)

    def _finish(self, turn: UserTurn, end: float, by: CommitReason, silence: float = 0.0) -> None:
        audio = self.buffer.slice(turn.start, end)
        if turn.fed > turn.start:
            self._feed(turn, end)
        self._turn, self._mark, self._found = None, end, by != "client"
        self.buffer.discard_before(end)
        self._observer.turn_committed(turn, audio, by, silence)

    async def _stop_ear(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            await ear.close()
