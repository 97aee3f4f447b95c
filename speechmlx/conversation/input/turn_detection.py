"""Turn detection: a speech detector's stream and, at each pause, a turn detector, both read by an Endpointer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.buffer import RATE, AudioBuffer
from speechmlx.conversation.input.endpointing import Decision, Endpointer, TurnPaused, TurnStarted
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import EngineFailed, EngineLost, SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import DetectSpeech, DetectTurn, Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

SETTLED = 0.05
"""Seconds that a speech detector may be behind the audio: they hide no word."""
LOOK_BACK = 8.0
"""Seconds of a turn that the turn detector gets."""
WARM_UP = 0.5
"""Seconds of processed audio that a stream begins with which goes on where another was lost: detectors have a state."""
MAX_RESTARTS = 3
"""Times that the stream goes on in a new one without getting further, after the engine process ended."""


class DetectorObserver(Protocol):
    """What the detector reports to. Times are seconds into the session."""

    def advance(self, position: float) -> None:
        """The audio up to `position` is processed. Comes before the decisions there."""

    def decide(self, decision: Decision) -> None:
        """What the endpointer decided."""


class TurnDetector:
    """Listens to what is added to `buffer` from now on.

    When the engine process ends, a new stream goes on with the first audio that was not processed. `on_error` gets what
    else went wrong, once until it works again; the next audio tries again.
    """

    def __init__(
        self,
        engines: Engines,
        settings: TurnTaking,
        buffer: AudioBuffer,
        observer: DetectorObserver,
        on_error: Callable[[SpeechError], None],
    ) -> None:
        self.endpointer = Endpointer(settings, buffer.end)
        self._engines = engines
        self._buffer = buffer
        self._observer = observer
        self._on_error = on_error
        self._speech_failing = False
        self._turn_failing = False
        self._restarts = 0
        """How often the stream was begun anew since it last got further."""
        self._progress = asyncio.Event()
        self._stream_start = buffer.end
        """Seconds into the session at which the speech detector's stream began."""
        self._turn_start = 0.0
        self._forced_end: float | None = None
        """Seconds into the session at which the turn under way ends, whatever is detected."""
        self._audio: Channel[Samples] = Channel()
        self._detecting: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None

    @property
    def position(self) -> float:
        """Seconds into the session up to which the audio was processed, or given to a detector that failed."""
        return max(self._stream_start, self.endpointer.position)

    async def within(self, seconds: float) -> None:
        """Wait until it is at most `seconds` behind the buffer."""
        while self._detecting is not None and not self._detecting.done() and self._behind > seconds:
            self._progress.clear()
            await self._progress.wait()

    @property
    def _behind(self) -> float:
        return self._buffer.end - self.position

    def feed(self, samples: Samples) -> None:
        """The next audio, at RATE, which the buffer has already. Never waits, also while the model is being loaded."""
        if self._detecting is None or self._detecting.done():
            self._stream_start = self._buffer.end - len(samples) / RATE
            self._audio = Channel()
            self._detecting = asyncio.create_task(self._detect())
            self._detecting.add_done_callback(lambda _: self._progress.set())
        self._audio.put(samples)

    def end_turn(self) -> None:
        """End the turn under way where the buffer ends now, once the audio up to there is processed."""
        self._forced_end = self._buffer.end
        self._end_when_due()

    async def close(self) -> None:
        """Stop listening."""
        tasks = [task for task in (self._detecting, self._judging) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._detecting = self._judging = None  # they and the audio that waited are large, and refer to this
        self._audio = Channel()

    async def _detect(self) -> None:
        try:
            while not await self._stream():
                pass
        except SpeechError as error:
            self._fail(error)
        except Exception:
            log.exception("finding turns failed")
            self._fail(EngineFailed("finding turns failed; the server's log has more"))

    async def _stream(self) -> bool:
        """One stream. False: it was lost with the engine process, and `_audio` is what the next one gets."""
        try:
            async with self._engines.submit(DetectSpeech()).fed_by(self._audio) as job:
                async for event in job:
                    if isinstance(event, Probability):
                        self._take(event)
        except EngineLost as error:
            if error.retry_after is not None or self._restarts == MAX_RESTARTS:
                raise
            self._restarts += 1
            log.warning("%s; speech is searched for from %.1f s of the audio on", error, self.position)
            self._go_back()
            return False
        return True

    def _go_back(self) -> None:
        """Let the next stream begin where this one was lost."""
        self._stream_start = max(self._buffer.start, self._stream_start, self.position - WARM_UP)
        self._audio = Channel()
        self._audio.put(self._buffer.slice(self._stream_start, self._buffer.end).samples)

    def _take(self, speech: Probability) -> None:
        start = self._stream_start
        if start + speech.end <= self.endpointer.position:
            return  # of the WARM_UP
        self._speech_failing, self._restarts = False, 0
        decisions = self.endpointer.push(speech.value, start + speech.start, start + speech.end)
        self._progress.set()
        self._observer.advance(self.position)
        self._carry_out(decisions)
        self._end_when_due()

    def _end_when_due(self) -> None:
        if self._forced_end is not None and self._forced_end - self.position < SETTLED:
            at, self._forced_end = self._forced_end, None
            self._carry_out(self.endpointer.end(max(at, self.position)))

    def _fail(self, error: SpeechError) -> None:
        if not self._speech_failing:
            self._speech_failing = True
            self._on_error(error)

    def _carry_out(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, TurnStarted):
                self._turn_start = decision.at
            if self._judging is not None:
                self._judging.cancel()
                self._judging = None
            if isinstance(decision, TurnPaused) and self.endpointer.settings.eagerness and self.endpointer.in_turn:
                self._judging = asyncio.create_task(self._judge(decision))
            self._observer.decide(decision)

    async def _judge(self, pause: TurnPaused) -> None:
        """Ask the turn detector whether the turn is over."""
        audio = self._buffer.slice(max(self._turn_start, pause.at - LOOK_BACK), pause.at)
        try:
            events = await self._engines.submit(DetectTurn(audio=audio)).collect()
        except SpeechError as error:
            if not self._turn_failing:
                self._turn_failing = True
                self._on_error(error)
            return
        self._judging, self._turn_failing = None, False
        for event in events:
            if isinstance(event, Probability):
                self._carry_out(self.endpointer.judge(pause.since, event.value))
