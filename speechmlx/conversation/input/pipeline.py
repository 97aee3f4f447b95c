"""The input half of a session: audio in, turns and their transcripts out."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.errors import TooShort
from speechmlx.conversation.input.audio import AudioInput
from speechmlx.conversation.input.buffer import BEGINNING, RATE, AudioBuffer, InputStart
from speechmlx.conversation.input.endpointing import (
    Decision,
    IdleTimeout,
    TurnEnded,
    TurnPaused,
    TurnResumed,
    TurnStarted,
)
from speechmlx.conversation.input.speakers import SpeakerTracker
from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.input.turn_detection import SETTLED, TurnDetector
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
FURTHEST_BEHIND = 60.0
"""Seconds that the speech detector may be behind before the client waits."""
QUIET = 30.0
"""Seconds kept of audio in which nobody speaks."""
LIVE_PIECE = 0.1
"""Seconds of audio that a live recogniser gets at least, unless the turn pauses or ends."""
AT_ONCE = 3.0
"""Seconds: a longer piece of audio is a recording, not a person speaking now."""

UNNOTICED = 0.2
"""Seconds of speech before a turn is known to have begun, at most."""

CommitReason = Literal["speech", "silence", "client"]
"""What ended a turn: the speech detector, silence for the idle timeout, or the client."""


@dataclass
class UserTurn:
    """A turn under way. It becomes the item with the id `item`."""

    item: str
    start: float
    """Seconds into the session."""
    transcription: TurnTranscription
    fed: float
    """Seconds into the session up to which live recognition has the audio."""
    live: bool = True
    """Whether its audio comes at the pace of speech, so that live recognition is worth it."""
    detected: bool = False
    """Whether the speech detector began it, so that the observer knows of it."""


class InputObserver(Protocol):
    """What the pipeline reports to. Every method returns at once. Times are seconds into the session."""

    def turn_started(self, item: str, at: float) -> None:
        """A person speaks; the turn's audio begins at `at`."""

    def turn_paused(self, item: str, since: float, at: float, guess: Awaitable[Transcript] | None) -> None:
        """Silence since `since`: the turn may be over. `guess` is its transcript if it is, where that is found now."""

    def turn_resumed(self, item: str) -> None:
        """The turn goes on."""

    def turn_ended(self, item: str, at: float) -> None:
        """The turn is over; its audio ends at `at`."""

    def advanced(self, at: float, transcribed: float) -> None:
        """Speech was searched for up to `at`, words up to `transcribed`."""

    def idle_timed_out(self, item: str, start: float, end: float) -> None:
        """Nobody spoke from `start` to `end`."""

    def turn_committed(self, turn: UserTurn, audio: Audio, reason: CommitReason, silence: float) -> None:
        """The turn is `audio`; `silence`: seconds since its last speech, where a detector measured them."""

    def transcript_updated(self, item: str, update: TranscriptUpdate) -> None:
        """More words of a turn."""

    def input_failed(self, error: SpeechError) -> None:
        """A detector or the noise reduction failed; the next audio tries again."""


class InputPipeline:
    """One client's audio, from bytes to committed turns."""

    def __init__(
        self, engines: Engines, settings: Settings, observer: InputObserver, start: InputStart = BEGINNING
    ) -> None:
        self.buffer = AudioBuffer(start.at)
        self.settings = settings
        self.transcriber = Transcriber(engines)
        self.transcriber.settings = settings.transcription or Transcription()
        self._engines = engines
        self._observer = observer
        self._audio = AudioInput(engines, settings, self._push_samples, observer.input_failed)
        self._items = deque(start.items)
        """Ids of the next turns."""
        self._committed = start.at
        """Seconds into the session up to which the audio was committed or cleared."""
        self._detector: TurnDetector | None = None
        self._speakers: SpeakerTracker | None = None
        self._turn: UserTurn | None = None
        self._ended_by_detector = False
        """Whether the last turn was ended by a detector, not by the client."""
        self._idle_from: float | None = None
        """Seconds into the session from which silence counts as idle."""

    def watch_decoded(self, on_decoded: Callable[[float], None]) -> None:
        """See TranscriptionSession."""
        self._audio.on_decoded = on_decoded

    @property
    def waiting(self) -> float:
        """Seconds of audio not committed."""
        return self.buffer.end - max(self._committed, self.buffer.start)

    @property
    def settled(self) -> tuple[float, tuple[str, ...]]:
        """Seconds before which no turn is under way or may still begin; and the turn under way, if there is one."""
        turn, turns = self._turn, self.settings.turns
        if turn is not None:
            return turn.start, (turn.item,)
        if turns is None or self._detector is None:
            return self._committed, ()
        return max(self._committed, self._detector.position - turns.prefix - UNNOTICED), ()

    @property
    def in_turn(self) -> bool:
        """Whether a turn is under way."""
        return self._turn is not None

    async def configure(self, settings: Settings) -> None:
        """Use other settings from the next audio on."""
        await self._audio.configure(settings)
        transcription = settings.transcription or Transcription()
        if transcription.model != self.transcriber.settings.model:
            self.transcriber.can_live = True
        if transcription.speakers is None:
            await self._stop_speakers()
        self.transcriber.settings = transcription
        before, self.settings = self.settings.turns, settings  # the noise reduction may give out audio meanwhile
        if settings.turns is None or before is None:
            await self._stop_detector()
            if self._turn is not None:
                self._resume(self._turn)
        elif self._detector is not None:
            self._detector.endpointer.settings = settings.turns

    async def push(self, data: bytes) -> None:
        """The next bytes; waits while the speech detector is far behind.

        Raises TooLarge when the client commits turns and has committed nothing for LONGEST seconds, and BadAudio.
        """
        await self._room()
        await self._audio.push(data)

    async def has_speech(self) -> bool:
        """Whether there is enough to commit. Where turns are detected, that is speech, once all audio is processed."""
        if self._detector is None:
            return self.waiting >= SHORTEST
        await self._detector.within(SETTLED)
        return self._turn is not None and self._turn.detected

    async def commit(self) -> None:
        """Make a turn of the audio that waits; nothing where a detector has just ended one. Raises TooShort."""
        await self._audio.flush()
        if self.waiting < SHORTEST - 1e-6:
            if self._ended_by_detector and self.settings.turns is not None:
                return
            raise TooShort(self.waiting, SHORTEST)
        turn = self._turn or self._begin_turn(self._committed)
        if self._detector is None or self.buffer.end - self._detector.position > SETTLED:
            self._resume(turn)
        await self._stop_detector()
        self._report_end()
        self._commit_turn(turn, self.buffer.end, "client")

    async def flush(self) -> None:
        """Commit every word of the turn under way up to now; the turn goes on. Raises SpeechErrors."""
        await self._audio.settle()
        if self._detector is not None:
            await self._detector.within(SETTLED)
        turn = self._turn
        if turn is None:
            return
        end = self.buffer.end if self._detector is None else self._detector.position
        if end - turn.transcription.part_start < SHORTEST:
            return
        self._feed(turn, end)
        audio = self.buffer.slice(turn.transcription.part_start, end)
        turn.fed = end
        await turn.transcription.flush(audio)

    async def finish(self) -> None:
        """The audio is over: process all of it, and commit the turn under way. Raises BadAudio, having done so."""
        try:
            await self._audio.finish()
        finally:
            await self._finish_turn()

    async def _finish_turn(self) -> None:
        if self._detector is not None:
            await self._detector.within(SETTLED)
        if self._speakers is not None:
            self._speakers.end()
        if self._turn is None and (self.settings.turns is not None or self.waiting < SHORTEST - 1e-6):
            return
        turn = self._turn or self._begin_turn(self._committed)
        await self._stop_detector()
        self._report_end()
        self._commit_turn(turn, self.buffer.end, "client")

    async def lapse(self) -> None:
        """Audio is missing: end a turn that a detector follows, as silence would."""
        if self.settings.turns is not None:
            await self._audio.settle()
            if self._detector is not None:
                self._detector.end_turn()

    async def clear(self) -> None:
        """Forget the audio that waits."""
        await self._audio.flush()
        self._report_end()
        if self._turn is not None:
            self._turn.transcription.cancel()
        self._turn, self._ended_by_detector = None, False
        self._committed = self.buffer.end
        self.buffer.discard_before(self._committed)
        await self._stop_detector()

    def expect_until(self, at: float | None) -> None:
        """Answers have been played at `at` seconds into the session: silence after it may be idle. None: not yet."""
        self._idle_from = at
        if self._detector is not None:
            self._detector.endpointer.expect(at)

    async def close(self) -> None:
        """Stop everything under way."""
        await self._audio.close()
        await self._stop_detector()
        await self._stop_speakers()
        if self._turn is not None:
            self._turn.transcription.cancel()
        self._turn, self.buffer = None, AudioBuffer()

    # --- audio ---

    async def _room(self) -> None:
        """Wait while the speech detector is far behind. Raises TooLarge as `push` does."""
        if self._detector is not None:
            await self._detector.within(FURTHEST_BEHIND)
        elif self.settings.turns is None and self.waiting > LONGEST:
            raise TooLarge(f"the audio buffer holds {LONGEST / 60:.0f} minutes, its limit: commit or clear it")

    async def _push_samples(self, samples: Samples) -> None:
        if not len(samples):
            return
        await self._room()
        if self.settings.turns is not None and self._detector is None:
            self._detector = TurnDetector(
                self._engines, self.settings.turns, self.buffer, self, self._observer.input_failed
            )
            self._detector.endpointer.expect(self._idle_from)
        self.buffer.add(samples)
        self._track_speakers(samples)
        if self._detector is None:
            turn = self._turn or self._begin_turn(self._committed)
            turn.live = turn.live and len(samples) <= AT_ONCE * RATE
            self._feed(turn, self.buffer.end)
        else:
            self._detector.feed(samples)

    def _track_speakers(self, samples: Samples) -> None:
        """Give audio to diarization, where the settings ask for speakers. Times are those of the session's audio."""
        options = self.transcriber.settings.speakers
        if options is None:
            return
        if self._speakers is None:
            start = self.buffer.end - len(samples) / RATE
            self._speakers = SpeakerTracker(self._engines, options, self._observer.input_failed, start)
        self._speakers.feed(samples)

    def _feed(self, turn: UserTurn, until: float) -> None:
        """Give audio to live recognition. It waits while the turn may be over and is recognised whole."""
        if turn.live and until > turn.fed and not turn.transcription.is_guessing:
            turn.transcription.feed(self.buffer.slice(turn.fed, until).samples)
            turn.fed = until

    # --- DetectorObserver ---

    def advance(self, position: float) -> None:
        """The detector has processed the audio up to `position`; what is beyond may belong to another turn."""
        turn, turns = self._turn, self.settings.turns
        transcribed = position if turn is None or not turn.live else turn.transcription.transcribed
        self._observer.advanced(position, min(position, transcribed))
        if turn is None:
            self.buffer.discard_before(position - max(QUIET, 0.0 if turns is None else turns.prefix))
            return
        if position - turn.fed >= LIVE_PIECE:
            self._feed(turn, position)
        if position - turn.start >= LONGEST:  # it began before the detector did, and nobody has spoken since
            self._commit_turn(turn, position, "client")

    def decide(self, decision: Decision) -> None:
        """Carry out what the endpointer decided."""
        turn = self._turn
        match decision:
            case TurnStarted(at):
                self._idle_from = None
                turn = self._begin_turn(max(at, self._committed))
                turn.detected = True
                self._observer.turn_started(turn.item, turn.start)
                if self._detector is not None:
                    self._feed(turn, self._detector.position)
            case TurnPaused(since, at) if turn is not None:
                audio = self.buffer.slice(turn.transcription.part_start, at)
                guess = turn.transcription.guess(audio, self.settings.answers)
                if guess is None:
                    self._feed(turn, at)
                self._observer.turn_paused(turn.item, since, at, guess)
            case TurnResumed() if turn is not None:
                self._resume(turn)
            case TurnEnded(at, silence) if turn is not None:
                self._observer.turn_ended(turn.item, at)
                self._commit_turn(turn, at, "speech", silence)
            case IdleTimeout(start, at):
                self._idle_from = None
                turn = self._begin_turn(max(start, self._committed))
                self._observer.idle_timed_out(turn.item, turn.start, at)
                self._commit_turn(turn, at, "silence")

    # --- turns ---

    def _begin_turn(self, start: float) -> UserTurn:
        if self._turn is not None:
            self._turn.transcription.cancel()
        item = self._items.popleft() if self._items else new_id("item")
        # An answered turn is recognised whole at its end: live words must not keep that, or another answer, waiting.
        priority = Priority.INTERACTIVE if self.settings.answers else Priority.REALTIME

        def on_update(update: TranscriptUpdate) -> None:
            self._observer.transcript_updated(item, update)

        transcription = TurnTranscription(self.transcriber, on_update, start, priority, self._speakers)
        self._turn = UserTurn(item, start, transcription, start)
        return self._turn

    def _resume(self, turn: UserTurn) -> None:
        """The turn goes on after a pause."""
        turn.transcription.resume()
        self._observer.turn_resumed(turn.item)

    def _report_end(self) -> None:
        """The client ends the turn under way."""
        if self._turn is not None and self._turn.detected:
            self._observer.turn_ended(self._turn.item, self.buffer.end)

    def _commit_turn(self, turn: UserTurn, end: float, reason: CommitReason, silence: float = 0.0) -> None:
        audio = self.buffer.slice(turn.start, end)
        if turn.fed > turn.start:
            self._feed(turn, end)
        self._turn, self._committed, self._ended_by_detector = None, end, reason != "client"
        self.buffer.discard_before(end)
        self._observer.turn_committed(turn, audio, reason, silence)

    async def _stop_detector(self) -> None:
        detector, self._detector = self._detector, None
        if detector is not None:
            await detector.close()

    async def _stop_speakers(self) -> None:
        speakers, self._speakers = self._speakers, None
        if speakers is not None:
            await speakers.close()
