"""Silero VAD at 16 kHz: how probable speech is in each 32 ms, from an encoder without memory and one LSTM with.

In numpy: a frame is so little work (0.1 ms) that as operations of MLX it took four times as long on a CPU, and every
conversation asks for thirty frames a second.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.lib.stride_tricks import as_strided

from speechmlx.engines import LoadOptions
from speechmlx.engines.weights import read_weights, settle
from speechmlx.errors import ModelUnavailable, Unsupported
from speechmlx.types import DetectSpeech, Probability, Progress, Request

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16_000
FRAME = 512
CONTEXT = 64
"""Samples before a frame that its encoder sees too."""
MIRRORED = 64
"""Samples at its end that are mirrored behind it."""
WINDOW, STRIDE = 256, 128
"""Of the short-time Fourier transform, which the weights hold as a matrix."""
POSITIONS = (CONTEXT + FRAME + MIRRORED - WINDOW) // STRIDE + 1
BINS = WINDOW // 2 + 1
HIDDEN = 128
BLOCK = 64
"""Frames in one step: the LSTM is stepped frame by frame."""
PREFIX = "vad_16k."


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Engine]:
    """`folder` holds model.safetensors; its branch for 16 kHz is used, float32 always."""
    branch = {
        name.removeprefix(PREFIX): array for name, array in read_weights(folder).items() if name.startswith(PREFIX)
    }
    if "stft_conv.weight" not in branch:
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no Silero VAD for 16 kHz")
    weights = yield from settle(branch, mx.float32)
    return Engine({name: np.array(array) for name, array in weights.items()})


class Engine:
    """Answers `DetectSpeech`: one `Probability` per 512 samples."""

    def __init__(self, weights: Mapping[str, Samples]) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._network = Network(weights)

    def open(self, request: Request) -> Detector:
        if not isinstance(request, DetectSpeech):
            raise Unsupported(f"Silero VAD detects speech; it cannot {type(request).__name__.lower()}")
        return Detector(self._network)


class Detector:
    """`feed`, `finish` and `close` as of engines.Stream; the LSTM's state and the last samples are its own."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._waiting: Samples = np.zeros(CONTEXT, np.float32)
        """The context, then less than a frame."""
        self._state = np.zeros((2, HIDDEN), np.float32)
        self._frames = 0

    def feed(self, samples: Samples) -> Iterator[Probability | None]:
        """Any number of samples [n] at RATE, in [-1, 1]."""
        self._waiting = np.concatenate([self._waiting, samples], dtype=np.float32)
        while frames := min(BLOCK, (len(self._waiting) - CONTEXT) // FRAME):
            block, self._waiting = self._waiting[: CONTEXT + frames * FRAME], self._waiting[frames * FRAME :]
            values, self._state = self._network(block, self._state)
            for value in values.tolist():
                start, self._frames = self._frames, self._frames + 1
                yield Probability(value, start * FRAME / RATE, self._frames * FRAME / RATE)

    def finish(self) -> Iterator[Probability | None]:
        """The last frame, filled up with silence; its end is that of the samples."""
        rest = len(self._waiting) - CONTEXT
        if rest:
            for last in self.feed(np.zeros(FRAME - rest, np.float32)):
                if last:
                    yield Probability(last.value, last.start, last.start + rest / RATE)

    def close(self) -> None:
        """The arrays go with the stream."""


class Network:
    """The weights in use; [CONTEXT + t * FRAME] samples and a state [2, HIDDEN] → [t] values and a state."""

    def __init__(self, weights: Mapping[str, Samples]) -> None:
        self._fourier = _turned(weights["stft_conv.weight"][..., 0])
        self._convolutions = [
            (weights[f"conv{i}.weight"].shape[1], _turned(_flat(weights[f"conv{i}.weight"])), weights[f"conv{i}.bias"])
            for i in (1, 2, 3, 4)
        ]
        self._inward, self._recurrent = (_turned(weights[f"lstm.W{side}"]) for side in "xh")
        self._bias = weights["lstm.bias"]
        self._out, self._out_bias = weights["final_conv.weight"].reshape(HIDDEN), weights["final_conv.bias"]

    def __call__(self, samples: Samples, state: Samples) -> tuple[Samples, Samples]:
        hidden, cell = state
        states = []
        for gate in self._encode(samples) @ self._inward + self._bias:
            enter, keep, new, leave = (gate + hidden @ self._recurrent).reshape(4, HIDDEN)
            cell = _sigmoid(keep) * cell + _sigmoid(enter) * np.tanh(new)
            hidden = _sigmoid(leave) * np.tanh(cell)
            states.append(hidden)
        return _sigmoid(np.maximum(np.stack(states), 0) @ self._out + self._out_bias), np.stack([hidden, cell])

    def _encode(self, samples: Samples) -> Samples:
        """→ [t, HIDDEN], all frames at once."""
        frames, item = (len(samples) - CONTEXT) // FRAME, samples.itemsize
        windows = as_strided(samples, (frames, CONTEXT + FRAME), (FRAME * item, item))
        padded = np.concatenate([windows, windows[:, -2 : -2 - MIRRORED : -1]], axis=1)
        strides = (padded.shape[1] * item, STRIDE * item, item)
        x = as_strided(padded, (frames, POSITIONS, WINDOW), strides) @ self._fourier
        x = np.sqrt(np.square(x[..., :BINS]) + np.square(x[..., BINS:]))
        for (taps, weight, bias), stride in zip(self._convolutions, (1, 2, 2, 1), strict=True):
            edge = np.zeros((frames, 1, x.shape[2]), np.float32)
            x = np.concatenate([edge, x, edge], axis=1)
            reach = stride * ((x.shape[1] - taps) // stride) + 1
            gathered = np.concatenate([x[:, tap : tap + reach : stride] for tap in range(taps)], axis=-1)
            x = np.maximum(gathered @ weight + bias, 0)
        return x[:, 0]


def _sigmoid(x: Samples) -> Samples:
    found: Samples = np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return found


def _flat(kernel: Samples) -> Samples:
    """[out, taps, in] → [out, taps * in]."""
    return kernel.reshape(len(kernel), -1)


def _turned(weight: Samples) -> Samples:
    return np.ascontiguousarray(weight.T)
