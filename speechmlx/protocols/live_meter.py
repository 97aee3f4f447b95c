"""Measures one live session for /metrics: its audio, its words, and how long after their sound words are final."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from speechmlx.conversation.events import (
    Advanced,
    Event,
    Failed,
    OnChannel,
    ResponseDone,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.log import current
from speechmlx.runtime.front.metrics import Metrics

log = logging.getLogger(__name__)

KEPT = 120.0
"""Seconds of audio whose arrival is remembered: words are final after less."""


class LiveMeter:
    """Counts into `metrics` under the name of a wire; `metrics` None: nothing. `wall` is a monotonic clock in seconds.

    `charge` is called with the seconds of audio that came, and may raise RateLimited. Audio whose length is not known
    before it is decoded (containers) is counted then, and has no latency. `start`: seconds into the session at which
    its audio comes.
    """

    def __init__(
        self,
        wire: str,
        metrics: Metrics | None,
        wall: Callable[[], float] = time.monotonic,
        charge: Callable[[float], None] = lambda seconds: None,
        start: float = 0.0,
    ) -> None:
        self._charge = charge
        self._wire = wire
        self._metrics = metrics
        self._wall = wall
        self._received = start
        self._arrivals: deque[tuple[float, float]] = deque()
        """(seconds of audio up to here, wall clock at which they had come), in order."""

    def audio(self, seconds: float) -> None:
        """So much audio came. Raises RateLimited where the client may not send so much."""
        self._charge(seconds)
        if self._metrics is None or not seconds:
            return
        self._received += seconds
        self._arrivals.append((self._received, self._wall()))
        while self._arrivals[0][0] < self._received - KEPT:
            self._arrivals.popleft()
        self._metrics.live_audio[self._wire] += seconds

    def decoded(self, seconds: float) -> None:
        """So much audio came out of a container. Raises RateLimited as `audio` does."""
        self._charge(seconds)
        if self._metrics is not None:
            self._metrics.live_audio[self._wire] += seconds

    def event(self, event: Event) -> None:
        """The client gets an event."""
        if self._metrics is None:
            return
        match event:
            case TranscriptDelta(update=update) if update.committed:
                self._metrics.live_words[self._wire] += len(update.committed)
                now = self._wall()
                for word in update.committed:
                    if (arrival := self._arrival(word.end)) is not None:
                        self._metrics.commit_latency[self._wire].observe(max(0.0, now - arrival))
            case OnChannel(event=on_channel):
                self.event(on_channel)
            case Advanced():
                self._metrics.live_lag[self._wire].observe(max(0.0, event.received - event.transcribed))

    def _arrival(self, position: float) -> float | None:
        """When the audio at `position` seconds had come."""
        return next((wall for end, wall in self._arrivals if end >= position - 0.02), None)


def note_event(event: Event) -> None:
    """Tell the log of an error that the client of a live session gets, and of its words, where they are logged."""
    if (record := current()) is None:
        return
    match event:
        case OnChannel(event=on_channel):
            note_event(on_channel)
        case Failed(code=code):
            record.failed(code)
        case TranscriptFailed(error=error):
            record.failed(error.code)
        case ResponseDone(response) if response.error is not None:
            record.failed(response.error.code)
        case Advanced(received=received):
            record.audio_in = max(record.audio_in, received)  # of containers, which are counted nowhere else
        case TranscriptDone(item=item, transcript=transcript) if record.with_transcript:
            fields = {"event": "transcript", "item": item, "transcript": transcript.text}
            log.info("%s", f"heard in {item}", extra={"text": f"heard {transcript.text!r}", "fields": fields})
