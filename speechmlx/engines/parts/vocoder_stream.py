"""A mel spectrogram in pieces → samples in pieces, the same ones as of the whole."""

from __future__ import annotations

from collections.abc import Generator

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.hift import Hift

Values = NDArray[np.float32]


class VocoderStream:
    """The sound of one spectrogram. A frame is heard once all frames are known that its samples depend on.

    Frames before them are computed again with each piece, as many as the next ones depend on.
    """

    def __init__(self, hift: Hift, bands: int, seed: int) -> None:
        """`seed`: of the noise."""
        self._hift, self._source = hift, hift.source(seed)
        self._pitch_reach, self._reach = hift.shape.pitch, hift.shape.samples
        self._mel = np.zeros((0, bands), np.float32)
        """From frame `_first` on."""
        self._signal = np.zeros(0, np.float32)
        """The source, from frame `_first` on."""
        self._first = self._pitched = self._given = 0
        """Frames: dropped, with a known pitch, given as samples."""

    def push(self, mel: Values, is_last: bool = False) -> Generator[None, None, Values]:
        """mel [n, bands] → the samples that are known now [m], in bounded steps."""
        self._mel = np.concatenate([self._mel, mel])
        frames, length = self._first + len(self._mel), self._hift.shape.frame
        pitched = frames if is_last else max(self._pitched, frames - self._pitch_reach.after)
        self._signal = np.concatenate([self._signal, self._source.push(self._pitch(pitched), is_last)])
        self._pitched = pitched
        known = self._first + len(self._signal) // length
        ready = known if is_last else max(self._given, known - self._reach.after)
        if ready == self._given:
            return np.zeros(0, np.float32)
        begin = max(self._first, self._given - self._reach.before)
        piece = mx.array(self._mel[begin - self._first : known - self._first])[None]
        signal = mx.array(self._signal[(begin - self._first) * length : (known - self._first) * length])
        samples: Values = np.array((yield from self._hift.samples(piece, signal)))
        found = samples[(self._given - begin) * length : (ready - begin) * length]
        self._given = ready
        self._drop()
        return found

    def _pitch(self, end: int) -> Values:
        """Of the frames from `_pitched` up to `end`."""
        if end == self._pitched:
            return np.zeros(0, np.float32)
        begin = max(self._first, self._pitched - self._pitch_reach.before)
        last = min(self._first + len(self._mel), end + self._pitch_reach.after)
        window = mx.array(self._mel[begin - self._first : last - self._first])[None]
        found: Values = np.array(self._hift.pitch(window))
        return found[self._pitched - begin : end - begin]

    def _drop(self) -> None:
        """Forget the frames that nothing to come depends on."""
        first = max(self._first, min(self._given - self._reach.before, self._pitched - self._pitch_reach.before))
        self._mel = self._mel[first - self._first :]
        self._signal = self._signal[(first - self._first) * self._hift.shape.frame :]
        self._first = first
