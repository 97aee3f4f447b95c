"""The source signal of a neural vocoder: sines at the pitch and its harmonics, noise where a voice has no pitch."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

HARMONICS = 9
"""The pitch and its overtones."""
AMPLITUDE, FAINT = 0.1, 0.003
"""Of the sines; of the noise on them. Without a pitch, the noise has a third of the sines' amplitude."""
VOICED = 10.0
"""Hz above which a pitch is one."""


class Phases(Enum):
    """How the phase goes on within a frame."""

    BETWEEN = auto()
    """Straight from the middle of a frame to that of the next: CosyVoice 2's."""
    BY_FRAME = auto()
    """All samples of a frame have one; the noise is uniform: CosyVoice 3's."""
    BY_SAMPLE = auto()
    """Each sample goes on by the pitch of its frame, from a random phase of each overtone: CosyVoice 1's."""


class HarmonicSource:
    """A stream of pitches → a stream of samples: pieces of any size give the same samples as the whole.

    With Phases.BETWEEN a sample lies between two frames, so those of the last frame known wait for the next one, or for
    the end. Phases are counted in cycles of 64 bits: they stay exact however long the sound gets.
    """

    def __init__(
        self,
        weight: Values,
        bias: Values,
        rate: int,
        frame: int,
        random: np.random.Generator,
        phases: Phases = Phases.BETWEEN,
    ) -> None:
        """`weight` [HARMONICS] and `bias` [1] join the harmonics; `frame`: samples at `rate` Hz."""
        self._weight, self._bias = weight, bias
        self._rate, self._frame, self._random, self._phases = rate, frame, random, phases
        self._cycles = np.zeros(HARMONICS)
        """Of the last frame whose samples were given."""
        if phases is Phases.BY_SAMPLE:
            self._cycles[1:] = random.uniform(-0.5, 0.5, HARMONICS - 1)
        self._is_first = phases is Phases.BETWEEN
        """No frame's samples were given yet, and the phase stands still before the middle of the first one."""
        self._waiting = np.zeros(0, np.float32)

    def push(self, pitch: Values, is_last: bool = False) -> Values:
        """The pitch in Hz of the next frames [n] → samples [m] of the frames that are known whole."""
        pitch = np.concatenate([self._waiting, pitch])
        count = len(pitch) if is_last or self._phases is not Phases.BETWEEN else max(0, len(pitch) - 1)
        self._waiting = pitch[count:]
        if not count:
            return np.zeros(0, np.float32)
        steps = self._cycles_of(pitch)
        middle = self._cycles + np.cumsum(steps[:count], axis=0)
        none = np.zeros((1, HARMONICS))
        earlier = np.concatenate([none, steps[1:count]]) if self._is_first else steps[:count]
        later = steps[1 : count + 1] if len(pitch) > count else np.concatenate([steps[1:count], none])
        sines = self._sines(middle, earlier, later)
        self._cycles, self._is_first = middle[-1] % 1, False
        return self._joined(pitch[:count], sines)

    def _cycles_of(self, pitch: Values) -> NDArray[np.float64]:
        """Cycles of each harmonic in each frame [n, HARMONICS]."""
        per_sample = (pitch[:, None] * np.arange(1, HARMONICS + 1, dtype=np.float32) / np.float32(self._rate)) % 1
        cycles: NDArray[np.float64] = per_sample.astype(np.float64) * self._frame
        return cycles

    def _sines(self, middle: NDArray[np.float64], earlier: NDArray[np.float64], later: NDArray[np.float64]) -> Values:
        """Frames [n, HARMONICS] → [n * frame, HARMONICS]; `middle`: their cycles at the end of them, or halfway."""
        place = (np.arange(self._frame) + 0.5) / self._frame - 0.5
        if self._phases is Phases.BY_FRAME:
            place = np.zeros(self._frame)
        elif self._phases is Phases.BY_SAMPLE:
            place = (np.arange(self._frame) + 1) / self._frame - 1
        slopes = np.where(place[:, None] < 0, earlier[:, None], later[:, None])
        cycles = middle[:, None] + slopes * place[:, None]
        return np.sin(2 * np.pi * (cycles % 1)).astype(np.float32).reshape(-1, HARMONICS)

    def _joined(self, pitch: Values, sines: Values) -> Values:
        voiced = np.repeat(pitch > VOICED, self._frame)[:, None].astype(np.float32)
        loudness = voiced * np.float32(FAINT) + (1 - voiced) * np.float32(AMPLITUDE / 3)
        drawn = self._random.random if self._phases is Phases.BY_FRAME else self._random.standard_normal
        noise = drawn(sines.shape, np.float32) * loudness
        joined: Values = np.tanh((AMPLITUDE * sines * voiced + noise) @ self._weight + self._bias)
        return joined.astype(np.float32)
