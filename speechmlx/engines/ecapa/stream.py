"""Live audio → who speaks, in turns that follow each other without gaps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines.ecapa.features import RATE
from speechmlx.engines.ecapa.online import OnlineSpeakers, Step
from speechmlx.engines.ecapa.speech import SpeechDetector, SpeechFinder, Stretch
from speechmlx.engines.ecapa.windows import HOP, LENGTH
from speechmlx.types import SpeakerTurn, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

SIDE = (LENGTH - HOP) / 2
"""Seconds of a window before and after the step that it decides."""
SILENCE = 0.2
"""Seconds of silence that are told at a time."""
KEPT = LENGTH + HOP
"""Seconds of audio before the next step that are kept."""

Embed = Callable[["Samples"], "Samples"]
"""Samples [n] of a window → its embedding [d]."""


class DiarizationStream:
    """One stream, an engines.Stream. It holds some seconds of audio and the voices so far.

    `prepare` gives the voices that are known; its steps are the first of the stream.
    """

    def __init__(self, embed: Embed, detector: SpeechDetector, prepare: Generator[None, None, OnlineSpeakers]) -> None:
        self._embed, self._detector, self._prepare = embed, detector, prepare
        self._speakers: OnlineSpeakers | None = None
        self._finder = SpeechFinder()
        self._audio: Samples = np.zeros(0, np.float32)
        self._first = 0
        """Number of the first sample of `_audio` in the stream."""
        self._next: float | None = None
        """Start of the next step of the stretch that goes on."""
        self._told = 0.0
        """End of the last turn."""

    def feed(self, samples: Samples) -> Iterator[SpeakerTurn | Usage | None]:
        """Process the next samples [n] at RATE, in [-1, 1]."""
        yield from self._ready()
        self._audio = np.concatenate([self._audio, samples], dtype=np.float32)
        for frame in self._detector.feed(samples):
            if frame is None:
                yield None
                continue
            ended = self._finder.add(frame)
            yield from self._follow(ended)
        self._forget()

    def finish(self) -> Iterator[SpeakerTurn | Usage | None]:
        """Process what is left, up to the last sample."""
        yield from self._ready()
        for frame in self._detector.finish():
            if frame is not None:
                yield from self._follow(self._finder.add(frame))
        yield from self._follow(self._finder.finish())
        end = (self._first + len(self._audio)) / RATE
        yield from self._tell(end, "")
        yield Usage(audio_in=end)

    def close(self) -> None:
        """Nothing to free."""

    def _ready(self) -> Generator[None, None, None]:
        if self._speakers is None:
            self._speakers = yield from self._prepare

    def _follow(self, ended: Stretch | None) -> Iterator[SpeakerTurn | None]:
        """Decide the steps that can be decided, now that the finder knows more; `ended` is a stretch that is over."""
        stretch = ended or self._finder.open
        if stretch is not None:
            yield from self._steps(stretch, ended is not None)
        elif self._next is not None:  # the sound was too short to be speech
            self._next = None
        if self._finder.open is None and self._finder.quiet_until - self._told >= SILENCE:
            yield from self._tell(self._finder.quiet_until, "")

    def _steps(self, stretch: Stretch, over: bool) -> Iterator[SpeakerTurn | None]:
        assert self._speakers is not None
        first = stretch.start if self._next is None else self._next
        while first < stretch.end:
            last = first + HOP
            if over and stretch.end - last < HOP / 2:
                last = stretch.end
            if not over and last + SIDE > stretch.end:
                break
            end = min(last + SIDE, stretch.end)
            start = max(stretch.start, min(first - SIDE, end - LENGTH))
            step = Step(first, last, self._embed(self._cut(start, end)), end - start)
            yield from self._decided(self._speakers.add(step))
            yield None
            first = last
        self._next = None if over else first
        if over:
            yield from self._decided(self._speakers.end_stretch())

    def _decided(self, decided: Iterator[tuple[Step, str]]) -> Iterator[SpeakerTurn]:
        for step, label in decided:
            yield from self._tell(step.first, "")
            yield from self._tell(step.last, label)

    def _tell(self, until: float, label: str) -> Iterator[SpeakerTurn]:
        if until > self._told:
            yield SpeakerTurn(self._told, until, label)
            self._told = until

    def _cut(self, start: float, end: float) -> Samples:
        return self._audio[max(0, round(start * RATE) - self._first) : round(end * RATE) - self._first]

    def _forget(self) -> None:
        """Drop the audio that no step will need."""
        needed = self._told if self._next is None else self._next
        drop = max(0, round((needed - KEPT) * RATE) - self._first)
        self._audio, self._first = self._audio[drop:], self._first + drop
