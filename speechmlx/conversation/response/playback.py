"""What is played at the listener's: how far each spoken answer is, and when the last of them ends."""

from __future__ import annotations

from typing import NamedTuple

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.items.playout import PlayoutTimeline

MUTED = 0.5
"""Seconds that audio time may lag behind wall time. A larger lag means that the microphone was muted meanwhile."""


class Moment(NamedTuple):
    """A point in time, in seconds of the person's audio and of the wall clock."""

    audio: float
    wall: float


START = Moment(0.0, 0.0)


class Playback:
    """The playing of one spoken answer. It begins with the first audio, after the answers before it.

    `queued_until`: when the earlier answers finish playing.
    """

    def __init__(self, clock: Clock, queued_until: Moment) -> None:
        self.timeline = PlayoutTimeline()
        self.item: str | None = None
        """Id of the message that is played."""
        self.limit: float | None = None
        """Seconds after which the listener hears no more of it: the client truncated it, or it was interrupted."""
        self._clock = clock
        self._queued_until = queued_until
        self._start: Moment | None = None

    def add_audio(self, seconds: float) -> None:
        """More audio of the timeline's last clause was sent."""
        if self._start is None:
            queued = self._queued_until
            self._start = Moment(max(self._clock.audio(), queued.audio), max(self._clock.wall(), queued.wall))
        self.timeline = self.timeline.add_audio(seconds)

    @property
    def position(self) -> float:
        """Seconds that the listener may have heard by now. More than the duration after the end, negative before the
        start.
        """
        if self._start is None:
            return 0.0
        by_audio = self._clock.audio() - self._start.audio
        by_wall = self._clock.wall() - self._start.wall
        return by_audio if by_wall - by_audio < MUTED else by_wall

    @property
    def end(self) -> Moment:
        """When the listener has heard the last of it."""
        if self._start is None:
            return self._queued_until
        length = self.timeline.duration if self.limit is None else self.limit
        return Moment(self._start.audio + length, self._start.wall + length)

    @property
    def length(self) -> float:
        """Seconds that the listener hears in all."""
        duration = self.timeline.duration
        return duration if self.limit is None else min(self.limit, duration)

    def truncate(self, seconds: float) -> float:
        """The listener hears only the first `seconds`. Returns them, clamped to what was sent."""
        self.limit = min(max(0.0, seconds), self.timeline.duration)
        return self.limit

    def interrupt(self, unsent: float, live: bool) -> None:
        """Stop now. The last `unsent` seconds never reached the client.

        `live`: the person's audio goes on, so its time shows how much of the answer was played.
        """
        self.timeline = self.timeline.cut_at(self.timeline.duration - unsent)
        if live and self.limit is None and self.position:
            self.limit = max(0.0, self.position)


class PlaybackQueue:
    """Complete answers that may still be playing, one after the other."""

    def __init__(self) -> None:
        self._playbacks: list[Playback] = []

    @property
    def end(self) -> Moment:
        """When the last one ends."""
        return self._playbacks[-1].end if self._playbacks else START

    def add(self, playback: Playback) -> None:
        """Add an answer that is complete, unless it is known how much of it the listener hears."""
        self._playbacks = [one for one in self._playbacks if one.position < one.timeline.duration]
        if playback.limit is None:
            self._playbacks.append(playback)

    def remove(self, item: str) -> None:
        """The client said how much of this item the listener heard."""
        self._playbacks = [one for one in self._playbacks if one.item != item]

    def interrupt(self) -> list[tuple[str, float]]:
        """Stop all. Returns (id, seconds heard) of the item that is playing and of those after it."""
        cut = list[tuple[str, float]]()
        for playback in self._playbacks:
            position = playback.position
            if playback.item is not None and (cut or 0 < position < playback.timeline.duration):
                cut.append((playback.item, max(position, 0.0)))
        self._playbacks = []
        return cut
