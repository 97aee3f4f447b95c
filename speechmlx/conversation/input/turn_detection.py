"""Where turns begin and end in live audio: a speech detector's stream, a turn detector at each pause, `Endpointer`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.input.buffer import RATE, AudioBuffer
from speechmlx.conversation.input.endpointing import Decision, Endpointer, TurnPaused, TurnStarted
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import DetectSpeech, DetectTurn, Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

UNHEARD = 0.05
"""Seconds that a speech detector may be behind: no word hides in them."""
LOOK_BACK = 8.0
"""Seconds of a turn that the turn detector looks at."""


class TurnDetector:
    """Listens from `now` on; `decide` is told every decision, `fail` what went wrong (the next audio tries again).

    `advance` is told, before the decisions there, how far was heard. A detector that keeps failing is told of once.
    """

    def __init__(
        self,
        engines: Engines,
        settings: TurnTaking,
        tape: AudioBuffer,
        advance: Callable[[float], None],
        decide: Callable[[Decision], None],
        fail: Callable[[SpeechError], None],
    ) -> None:
        self.turns = Endpointer(settings, tape.end)
        self._engines = engines
        self._tape = tape
        self._advance = advance
        self._decide = decide
        self._fail = fail
        self._deaf = False
        self._hasty = False
        """The turn detector failed."""
        self._news = asyncio.Event()
        self._began = tape.end
        self._turn_began = 0.0
        self._ends: float | None = None
        """Where the turn under way is over whatever is heard there."""
        self._inbox: Channel[Samples] = Channel()
        self._listening: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None

    @property
    def heard(self) -> float:
        """Up to where, in seconds, the audio was heard, or given to a detector that failed."""
        return max(self._began, self.turns.now)

    async def within(self, seconds: float) -> None:
        """Returns when it is at most so far behind what is on the tape."""
        while self._listening is not None and not self._listening.done() and self._tape.end - self.heard > seconds:
            self._news.clear()
            await self._news.wait()

    def feed(self, samples: Samples) -> None:
        """The next audio, at RATE; it is on the tape already. Never waits: a cold detector hears it later."""
        if self._listening is None or self._listening.done():
            self._began = self._tape.end - len(samples) / RATE
            self._inbox = Channel()
            self._listening = asyncio.create_task(self._listen(self._inbox))
            self._listening.add_done_callback(lambda _: self._news.set())
        self._inbox.put(samples)

    def end(self) -> None:
        """Who speaks has stopped by what is on the tape now, and is told so once that is heard."""
        self._ends = self._tape.end
        self._end()

    async def close(self) -> None:
        tasks = [task for task in (self._listening, self._judging) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, inbox: Channel[Samples]) -> None:
        try:
            async with self._engines.submit(DetectSpeech()).fed_by(inbox) as job:
                async for event in job:
                    if isinstance(event, Probability):
                        self._deaf = False
                        began = self._began
                        decisions = self.turns.hear(event.value, began + event.start, began + event.end)
                        self._news.set()
                        self._advance(self.heard)
                        self._tell(decisions)
                        self._end()
        except SpeechError as error:
            self._lost(error)
        except Exception:
            log.exception("finding turns failed")
            self._lost(EngineFailed("finding turns failed; the server's log has more"))

    def _end(self) -> None:
        if self._ends is not None and self._ends - self.heard < UNHEARD:
            at, self._ends = self._ends, None
            self._tell(self.turns.end(max(at, self.heard)))

    def _lost(self, error: SpeechError) -> None:
        if not self._deaf:
            self._deaf = True
            self._fail(error)

    def _tell(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, TurnStarted):
                self._turn_began = decision.at
            if self._judging is not None:
                self._judging.cancel()
                self._judging = None
            if isinstance(decision, TurnPaused) and self.turns.settings.eagerness and self.turns.speaking:
                self._judging = asyncio.create_task(self._judge(decision))
            self._decide(decision)

    async def _judge(self, pause: TurnPaused) -> None:
        audio = self._tape.slice(max(self._turn_began, pause.at - LOOK_BACK), pause.at)
        try:
            events = await self._engines.submit(DetectTurn(audio=audio)).collect()
        except SpeechError as error:
            if not self._hasty:
                self._hasty = True
                self._fail(error)
            return
        self._judging, self._hasty = None, False
        for event in events:
            if isinstance(event, Probability):
                self._tell(self.turns.judge(pause.since, event.value))
