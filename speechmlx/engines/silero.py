"""Silero VAD at 16 kHz: how probable speech is in each 32 ms, from an encoder without memory and one LSTM with."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

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
    engine = Engine((yield from settle(branch, mx.float32)))
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        for frames in (1, BLOCK):
            list(engine.open(DetectSpeech()).feed(np.zeros(frames * FRAME, np.float32)))
    return engine


class Engine:
    """Answers `DetectSpeech`: one `Probability` per 512 samples."""

    def __init__(self, weights: dict[str, mx.array]) -> None:
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
        self._state = mx.zeros((2, 1, HIDDEN))
        self._frames = 0

    def feed(self, samples: Samples) -> Iterator[Probability | None]:
        """Any number of samples [n] at RATE, in [-1, 1]."""
        self._waiting = np.concatenate([self._waiting, samples], dtype=np.float32)
        while frames := min(BLOCK, (len(self._waiting) - CONTEXT) // FRAME):
            block, self._waiting = self._waiting[: CONTEXT + frames * FRAME], self._waiting[frames * FRAME :]
            values, self._state = self._network(mx.array(block), self._state)
            mx.eval(values, self._state)
            for value in np.array(values).tolist():
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
    """The weights in use; [CONTEXT + t * FRAME] samples and a state [2, 1, HIDDEN] → [t] values and a state."""

    def __init__(self, weights: Mapping[str, mx.array]) -> None:
        self._fourier = mx.contiguous(weights["stft_conv.weight"][..., 0].T)
        self._convolutions = [(weights[f"conv{i}.weight"], weights[f"conv{i}.bias"]) for i in (1, 2, 3, 4)]
        self._inward, self._recurrent = (mx.contiguous(weights[f"lstm.W{side}"].T) for side in "xh")
        self._bias = weights["lstm.bias"]
        self._out, self._out_bias = weights["final_conv.weight"].reshape(HIDDEN, 1), weights["final_conv.bias"]

    def __call__(self, samples: mx.array, state: mx.array) -> tuple[mx.array, mx.array]:
        gates = mx.addmm(self._bias, self._encode(samples), self._inward)
        hidden, cell = state
        states = []
        for gate in mx.split(gates, len(gates)):
            enter, keep, new, leave = mx.split(gate + hidden @ self._recurrent, 4, axis=1)
            cell = mx.sigmoid(keep) * cell + mx.sigmoid(enter) * mx.tanh(new)
            hidden = mx.sigmoid(leave) * mx.tanh(cell)
            states.append(hidden)
        logits = mx.maximum(mx.concatenate(states), 0) @ self._out + self._out_bias
        return mx.sigmoid(logits[:, 0]), mx.stack([hidden, cell])

    def _encode(self, samples: mx.array) -> mx.array:
        """→ [t, HIDDEN], all frames at once."""
        frames = (len(samples) - CONTEXT) // FRAME
        windows = mx.as_strided(samples, (frames, CONTEXT + FRAME), (FRAME, 1))
        mirrored = windows[:, -2 : -2 - MIRRORED : -1]
        padded = mx.concatenate([windows, mirrored], axis=1)
        length = padded.shape[1]
        x = mx.as_strided(padded, (frames, POSITIONS, WINDOW), (length, STRIDE, 1)) @ self._fourier
        x = mx.sqrt(mx.square(x[..., :BINS]) + mx.square(x[..., BINS:]))
        for (weight, bias), stride in zip(self._convolutions, (1, 2, 2, 1), strict=True):
            x = mx.maximum(mx.conv1d(x, weight, stride=stride, padding=1) + bias, 0)
        return x[:, 0]
