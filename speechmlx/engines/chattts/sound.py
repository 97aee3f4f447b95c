"""The sound of speech that is still being drawn, in pieces: each is computed from what it depends on, and no more."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.chattts.mel_decoder import FRAMES, MelDecoder
from speechmlx.engines.finite import finite
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.vocos import BANDS, HOP, VocosDecoder

Values = NDArray[np.float32]

FIRST, MOST = 12, 96
"""States of the first piece, and of a piece at most: each has twice as many as the one before."""


class ChatSound:
    """The sound of one sequence of states. Pieces give what the whole gives: no sample depends on what is left out."""

    def __init__(self, decoder: MelDecoder, vocoder: VocosDecoder, pace: LayerPace) -> None:
        self._decoder, self._vocoder, self._pace = decoder, vocoder, pace
        self._around = -(-decoder.reach // FRAMES)
        """States before and after one that its frames depend on."""
        self._beside = vocoder.reach + vocoder.reach % FRAMES
        """Frames likewise for samples."""
        self._mel = mx.zeros((0, BANDS))
        """Frames from `_first` on that later samples depend on."""
        self._first = self._given = 0
        """`_given`: states whose samples were given."""
        self._size = FIRST
        self.finished = False

    def is_due(self, count: int, is_whole: bool) -> bool:
        """Whether there is work, with `count` states: all of them, where `is_whole`."""
        return not self.finished and (is_whole or count >= self._needed)

    @property
    def _needed(self) -> int:
        """States that the next piece depends on."""
        return self._given + self._size + self._beside // FRAMES + self._around

    def piece(self, states: Sequence[mx.array], is_whole: bool) -> Generator[None, None, Values]:
        """The samples of the next piece, in bounded steps. `states`: all that are there, [width] each."""
        is_last = is_whole and len(states) < self._needed
        end = len(states) if is_last else self._given + self._size
        known = FRAMES * end + (0 if is_last else self._beside)
        yield from self._extend(states, known)
        start = FRAMES * self._given
        low = max(self._first, start - self._beside)
        sound = yield from self._pace.run(self._vocoder.layers(), self._mel[None, low - self._first :], "vocoder")
        # A frame is the middle of its samples, so the last one has no sound behind it.
        stop = FRAMES * end - (1 if is_last else 0)
        samples = np.array(sound[(start - low) * HOP : (stop - low) * HOP].astype(mx.float32))
        keep = max(0, FRAMES * end - self._beside)
        self._mel, self._first = self._mel[keep - self._first :], keep
        self._given, self._size, self.finished = end, min(2 * self._size, MOST), is_last
        return finite(samples, "the synthesis of speech")

    def _extend(self, states: Sequence[mx.array], known: int) -> Generator[None, None, None]:
        """Compute the frames of the spectrogram up to `known`."""
        done = self._first + len(self._mel)
        low = max(0, done // FRAMES - self._around)
        high = min(len(states), known // FRAMES + self._around)
        some = mx.stack(list(states[low:high])).astype(mx.float32)
        found = yield from self._pace.run(self._decoder.layers(), some[None], "decoder")
        self._mel = mx.concatenate([self._mel, found[done - FRAMES * low : known - FRAMES * low]])
        mx.eval(self._mel)
