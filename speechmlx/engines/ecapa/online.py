"""Speakers of a live stream: each window goes to a voice heard before or is a new one, at once and for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines.ecapa.clustering import Cluster, likeness, reliability

if TYPE_CHECKING:
    from speechmlx.types import Samples

NEW = 0.5
"""Likeness to all voices under which a window is a new one's, if the next window is, too."""
SURE = 0.7
"""Likeness from which on a window teaches its voice."""
ONE = 0.85
"""Likeness of two voices that are one: the later one is given up."""
LONG = 1.0
"""Seconds of a window that may teach a voice, or be a new one's by itself."""
BRIEF = 0.6
"""Seconds of all that a voice said which are too few to know it by."""
MOST = 64
"""Voices that are kept."""
HEAVY = 60.0
"""Weight of a voice from which on it is forgotten as fast as it is taught."""


@dataclass(frozen=True)
class Step:
    """Speech from `first` to `last` in seconds, and the embedding [d] of the window of `seconds` around it."""

    first: float
    last: float
    embedding: Samples
    seconds: float

    def cluster(self) -> Cluster:
        weight = float(reliability(np.array(self.seconds)))
        return Cluster(self.embedding * weight**0.5, weight, self.seconds, 1)


@dataclass(eq=False)
class Voice:
    """A voice and its label; a known one has its label before it is `heard`."""

    cluster: Cluster
    label: str
    heard: bool = False


@dataclass
class OnlineSpeakers:
    """The voices so far. `most` voices are told apart at most; None: MOST."""

    known: Sequence[tuple[str, Cluster]] = ()
    most: int | None = None
    voices: list[Voice] = field(default_factory=list)
    _waiting: list[Step] = field(default_factory=list)
    """At most one step that may be a new voice's."""

    def __post_init__(self) -> None:
        names = {name for name, _ in self.known}
        self._labels = (label for number in count() if (label := str(number)) not in names)
        self.voices = [Voice(cluster, name) for name, cluster in self.known]

    def add(self, step: Step) -> Iterator[tuple[Step, str]]:
        """Add the next step of a stretch of speech: the steps that are decided, with their labels."""
        own = step.cluster()
        best, like = self._best(own)
        if best is None or (like < NEW and self._room):
            if not self._waiting:
                self._waiting.append(step)
                return
            best = self._found(own)
        elif like >= SURE and step.seconds >= LONG:
            best = self._teach(best, own)
        for waiting in self._waiting:
            yield waiting, self._nearer(waiting, best)
        self._waiting.clear()
        yield step, self._hear(best)

    def end_stretch(self) -> Iterator[tuple[Step, str]]:
        """The stretch of speech ends: the step that waits is decided."""
        for step in self._waiting:
            own = step.cluster()
            best, _ = self._best(own)
            if best is None or (self._room and step.seconds >= LONG):
                best = self._found(own)
            yield step, self._hear(best)
        self._waiting.clear()

    @property
    def _room(self) -> bool:
        return sum(voice.heard for voice in self.voices) < (MOST if self.most is None else self.most)

    def _best(self, own: Cluster) -> tuple[Voice | None, float]:
        """The voice that is likest, and how much so. Where there is no room for new voices, one heard before."""
        voices = [voice for voice in self.voices if voice.heard or self._room]
        if not voices:
            return None, -1.0
        like = likeness([own, *(voice.cluster for voice in voices)])[0, 1:]
        return voices[int(like.argmax())], float(like.max())

    def _nearer(self, step: Step, after: Voice) -> str:
        """The label of a step that waited: that of the voice after it, or of another that it is more like."""
        best, like = self._best(step.cluster())
        follows = float(likeness([step.cluster(), after.cluster])[0, 1])
        return self._hear(after if best is None or follows >= like else best)

    def _found(self, own: Cluster) -> Voice:
        """A new voice, or one that was heard too short to be known: so no label is spent on a sound."""
        for voice in self.voices:
            if voice.heard and voice.cluster.seconds < BRIEF:
                voice.cluster = own
                return voice
        voice = Voice(own, "")
        self.voices.append(voice)
        return voice

    def _hear(self, voice: Voice) -> str:
        voice.heard = True
        voice.label = voice.label or next(self._labels)
        return voice.label

    def _teach(self, voice: Voice, own: Cluster) -> Voice:
        """Add a window to a voice; the voice that it is from then on, another where two have become one."""
        voice.cluster.join(own)
        if voice.cluster.weight > HEAVY:
            keep = HEAVY / voice.cluster.weight
            voice.cluster.total, voice.cluster.weight = voice.cluster.total * keep, HEAVY
        for other in self.voices:
            if other is voice or not other.heard or (voice.label in self._names and other.label in self._names):
                continue
            if likeness([voice.cluster, other.cluster])[0, 1] >= ONE:
                kept, given_up = sorted((voice, other), key=self.voices.index)
                kept.cluster.join(given_up.cluster)
                self.voices.remove(given_up)
                return kept
        return voice

    @property
    def _names(self) -> set[str]:
        return {name for name, _ in self.known}
