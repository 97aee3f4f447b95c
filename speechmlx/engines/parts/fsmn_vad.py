"""FSMN-VAD: the probability of speech in each 10 ms, and the segments of speech that follow from it.

The network is FunASR's, in numpy: 0.43 million multiplications a frame. It sees 20 ms ahead and 780 ms back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from speechmlx.engines.finite import finite
from speechmlx.engines.parts.fbank import HOP, WINDOW, Normalisation, filter_bank, frames_in
from speechmlx.errors import ModelUnavailable

if TYPE_CHECKING:
    from speechmlx.types import Samples

FRAME = HOP / 16_000
"""Seconds of a frame."""
AROUND = 2
"""Frames before and behind a frame that the network sees with it."""
BLOCK = 1000
"""Frames in one step."""
SPEECH = 0.8
"""Probability from which on a frame is speech: that of speech exceeds that of silence by 0.6."""
RECENT, ENOUGH = 20, 15
"""A stretch of speech begins where ENOUGH of the RECENT frames are speech, and ends where no more than that are."""
LOOK_BACK = 20
"""Frames before RECENT that belong to a segment that begins."""
SILENCE, KEPT = 65, 10
"""Frames of silence that end a segment, and how many of them belong to it."""
LONGEST = 6000
"""Frames of a segment, after which it is cut."""

Memories = list["Samples"]


def fsmn_of(weights: Mapping[str, mx.array], folder: Path) -> FsmnNetwork:
    """The network of weights that were in `folder`. Raises ModelUnavailable where they are those of another one."""
    if not {"cmvn.shift", "encoder.in_linear1.linear.weight"} <= weights.keys():
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no FSMN-VAD")
    return FsmnNetwork({name: np.array(array) for name, array in weights.items()})


class FsmnNetwork:
    """Normalised features [t, 400] → the probability of speech [t], and the memories that the next frames need."""

    def __init__(self, weights: Mapping[str, Samples]) -> None:
        self.normalise = Normalisation.among(weights)
        self._weights = weights
        self.nbytes = sum(array.nbytes for array in weights.values())
        blocks = sum(name.endswith("conv_left.weight") for name in weights)
        self._taps = [_taps(weights[f"encoder.fsmn.{n}.fsmn_block.conv_left.weight"]) for n in range(blocks)]

    def memories(self) -> Memories:
        """What is remembered at the start: silence."""
        return [np.zeros((len(taps) - 1, taps.shape[1]), np.float32) for taps in self._taps]

    def __call__(self, features: Samples, memories: Memories) -> tuple[Samples, Memories]:
        kept = []
        x = np.maximum(self._linear(self._linear(features, "in_linear1"), "in_linear2"), 0)
        for number, (taps, memory) in enumerate(zip(self._taps, memories, strict=True)):
            x = x @ self._weights[f"encoder.fsmn.{number}.linear.linear.weight"].T
            known = np.concatenate([memory, x])
            kept.append(known[len(x) :])
            for place, tap in enumerate(taps):
                x = x + known[place : place + len(x)] * tap
            x = np.maximum(self._linear(x, f"fsmn.{number}.affine"), 0)
        scores = self._linear(self._linear(x, "out_linear1"), "out_linear2")
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        return 1 - likely[:, 0] / likely.sum(axis=1), kept

    def _linear(self, x: Samples, name: str) -> Samples:
        weight, bias = (self._weights[f"encoder.{name}.linear.{part}"] for part in ("weight", "bias"))
        product: Samples = x @ weight.T + bias
        return product


def _taps(kernel: Samples) -> Samples:
    """[channels, 1, taps, 1] → [taps, channels]."""
    return np.ascontiguousarray(kernel[:, 0, :, 0].T)


class FsmnListener:
    """One stream of sound in pieces of any length → the probability of speech in each frame."""

    def __init__(self, network: FsmnNetwork) -> None:
        self._network = network
        self._memories = network.memories()
        self._waiting: Samples = np.zeros(0, np.float32)
        """Samples of frames that are not whole yet."""
        self._around: Samples | None = None
        """Features of the last 2 * AROUND frames; None before the first."""

    def feed(self, samples: Samples) -> Iterator[Samples]:
        """Process the next samples [n] in [-1, 1] → probabilities, BLOCK frames at most at a time. Raises NotFinite."""
        self._waiting = np.concatenate([self._waiting, samples], dtype=np.float32)
        while count := min(BLOCK, frames_in(len(self._waiting))):
            features = filter_bank(self._waiting[: (count - 1) * HOP + WINDOW])
            self._waiting = self._waiting[count * HOP :]
            yield self._judge(features)

    def finish(self) -> Samples:
        """The probabilities of the last frames. Of a sound shorter than a frame there is one."""
        if self._around is None and len(self._waiting):
            return self._judge(np.repeat(filter_bank(self._waiting), 1 + AROUND, axis=0))
        return np.zeros(0, np.float32) if self._around is None else self._judge(np.repeat(self._around[-1:], AROUND, 0))

    def _judge(self, features: Samples) -> Samples:
        """Features [t, 80] of the next frames → the probabilities of those with AROUND frames behind them."""
        before = np.repeat(features[:1], AROUND, axis=0) if self._around is None else self._around
        known = np.concatenate([before, features])
        whole = max(0, len(known) - 2 * AROUND)
        self._around = known[whole:]
        if not whole:
            return np.zeros(0, np.float32)
        seen = sliding_window_view(known, 2 * AROUND + 1, axis=0).transpose(0, 2, 1).reshape(whole, -1)
        found, self._memories = self._network(self._network.normalise(seen), self._memories)
        return finite(found, "the detection of speech")


class SpeechSegmenter:
    """Probabilities, frame after frame → segments of speech: the first frame of each, and the first behind it.

    Rules and numbers are those that FSMN-VAD comes with.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._frames = 0
        self._free = 0
        """The first frame behind the last segment."""
        self._start: int | None = None
        """The first frame of the segment under way."""
        self._silence = 0
        """Frames of silence since the last stretch of speech."""
        self._restart()

    def add(self, probability: float) -> tuple[int, int] | None:
        """Take the next frame. Returns the segment that it ends."""
        self._recent.append(probability >= SPEECH)
        place, self._frames = self._frames, self._frames + 1
        spoken = sum(self._recent)
        changed = spoken <= ENOUGH if self._speaking else spoken >= ENOUGH
        self._speaking ^= changed
        self._silence = 0 if self._speaking or changed else self._silence + 1
        if self._start is None:
            if self._speaking:
                self._start = max(self._free, place - RECENT - LOOK_BACK)
            return None
        if self._silence == SILENCE:
            return self._end(place + 2 - SILENCE + KEPT)
        return self._end(place + 1) if place - self._start >= self._longest else None

    def finish(self) -> tuple[int, int] | None:
        """The segment under way at the end of the sound."""
        return None if self._start is None else self._end(self._frames)

    def _end(self, end: int) -> tuple[int, int]:
        assert self._start is not None
        segment = self._start, end
        self._start, self._free = None, end
        self._restart()
        return segment

    def _restart(self) -> None:
        self._recent: deque[bool] = deque([False] * RECENT, RECENT)
        self._speaking = False
        self._silence = 0


def speech_segments(
    network: FsmnNetwork, samples: Samples, longest: int = LONGEST
) -> Iterator[tuple[float, float] | None]:
    """Start and end in seconds of each segment of speech of a recording [n]; None ends a step.

    `longest`: frames of a segment at most.
    """
    listener, segmenter = FsmnListener(network), SpeechSegmenter(longest)
    for block in listener.feed(samples):
        yield from _seconds(map(segmenter.add, block.tolist()))
        yield None
    yield from _seconds(map(segmenter.add, listener.finish().tolist()))
    yield from _seconds([segmenter.finish()])


def _seconds(segments: Iterable[tuple[int, int] | None]) -> Iterator[tuple[float, float]]:
    return ((start * FRAME, end * FRAME) for start, end in filter(None, segments))
