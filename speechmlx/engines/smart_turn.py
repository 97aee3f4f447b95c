"""Smart Turn v3: whether the speaker has finished. A Whisper encoder over the last 8 s with a classifier."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from speechmlx.engines import LoadOptions, Steps
from speechmlx.engines.finite import finite
from speechmlx.engines.weights import read_weights, settle
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import Audio, DetectTurn, Probability, Progress, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

RATE = 16_000
SECONDS = 8
"""Seconds that the encoder reads; shorter audio is padded with silence at the start."""
LENGTH = SECONDS * RATE
FFT, HOP, MELS = 400, 160, 80
DYNAMIC_RANGE = 8.0
"""Dynamic range below the largest value, in powers of ten."""
HEAD = 64


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, SmartTurn]:
    """Load model.safetensors from `folder`, with PyTorch's names and layout or mlx-audio's. Always float32."""
    weights = {_name(name): array for name, array in read_weights(folder).items()}
    if "pool_attention.0.weight" not in weights:
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no Smart Turn v3")
    engine = SmartTurn((yield from settle(weights, mx.float32)), options.device == "cpu")
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        list(engine.run(DetectTurn(audio=Audio(np.zeros(RATE, np.float32), RATE))))
    return engine


class SmartTurn:
    """Runs `DetectTurn`: one `Probability` at the end of the audio."""

    def __init__(self, weights: dict[str, mx.array], on_cpu: bool) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._network = Network(weights, on_cpu)

    def run(self, request: Request) -> Steps:
        """Detect the end of a turn. Raises BadRequest for audio that is empty or not at RATE."""
        if not isinstance(request, DetectTurn):
            raise Unsupported(f"Smart Turn detects the end of a turn; it cannot {type(request).__name__.lower()}")
        audio = request.audio
        if audio.rate != RATE:
            raise BadRequest(f"turn detection takes audio at {RATE} Hz, not {audio.rate}")
        if not len(audio.samples):
            raise BadRequest("turn detection takes the audio of a turn; this is empty")
        return self._run(audio)

    def _run(self, audio: Audio) -> Steps:
        value = float(finite(np.array(self._network(log_mel(audio.samples))), "the detection of a turn's end")[0])
        yield Probability(value, max(0.0, audio.duration - SECONDS), audio.duration)


def log_mel(samples: Samples) -> mx.array:
    """The last SECONDS of `samples` [n], at zero mean and unit variance → Whisper's features [LENGTH // HOP, MELS]."""
    last = np.pad(samples[-LENGTH:], (max(0, LENGTH - len(samples)), 0)).astype(np.float64)
    last = (last - last.mean()) / np.sqrt(last.var() + 1e-7)
    padded = mx.array(np.pad(last, FFT // 2, mode="reflect").astype(np.float32))
    frames = mx.as_strided(padded, (LENGTH // HOP, FFT), (HOP, 1)) * mx.array(_WINDOW)
    power = mx.square(mx.abs(mx.fft.rfft(frames)))
    levels = mx.log10(mx.maximum(power @ mx.array(_MEL_BANK), 1e-10))
    return (mx.maximum(levels, mx.max(levels) - DYNAMIC_RANGE) + 4) / 4


def _mel_bank() -> NDArray[np.float32]:
    """[FFT // 2 + 1, MELS]: Slaney's mel scale, linear to 1 kHz and logarithmic above, each triangle of unit area."""
    linear, step = 1000.0 * 3 / 200, np.log(6.4) / 27
    mels = np.linspace(0, linear + np.log(RATE / 2 / 1000) / step, MELS + 2)
    corners = np.where(mels < linear, mels * 200 / 3, 1000 * np.exp(step * (mels - linear)))
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    bank: NDArray[np.float32] = (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)
    return bank


_WINDOW = np.hanning(FFT + 1)[:-1].astype(np.float32)
_MEL_BANK = _mel_bank()


class Network:
    """The network: features [t, MELS] → the probability [1] that the turn is finished."""

    def __init__(self, weights: Mapping[str, mx.array], on_cpu: bool) -> None:
        self._weights = dict(weights)
        for name in ("encoder.conv1.weight", "encoder.conv2.weight"):
            if weights[name].shape[1] != 3:
                self._weights[name] = mx.contiguous(weights[name].swapaxes(1, 2))
        self._layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layers."))
        self._gelu, self._attend = nn.gelu, _fused_attention
        if on_cpu:
            from speechmlx.engines import cpu  # here, so that a GPU's process has nothing of it

            self._gelu, self._attend = cpu.gelu, cpu.attend

    def __call__(self, features: mx.array) -> mx.array:
        x = self._gelu(self._convolve(features[None], "conv1", 1))
        x = self._gelu(self._convolve(x, "conv2", 2))[0]
        x = x + self._weights["encoder.embed_positions.weight"]
        for layer in range(self._layers):
            x = self._block(x, f"encoder.layers.{layer}")
        x = self._norm(x, "encoder.layer_norm")
        scores = self._linear(mx.tanh(self._linear(x, "pool_attention.0")), "pool_attention.2")
        pooled = mx.sum(x * mx.softmax(scores, axis=0), axis=0, keepdims=True)
        x = nn.gelu(self._norm(self._linear(pooled, "classifier.0"), "classifier.1"))
        x = nn.gelu(self._linear(x, "classifier.4"))
        return mx.sigmoid(self._linear(x, "classifier.6"))[0]

    def _block(self, x: mx.array, name: str) -> mx.array:
        normed = self._norm(x, f"{name}.self_attn_layer_norm")
        q, k, v = (self._heads(self._linear(normed, f"{name}.self_attn.{part}_proj")) for part in "qkv")
        attended = self._attend(q, k, v, HEAD**-0.5)
        x = x + self._linear(attended[0].swapaxes(0, 1).reshape(x.shape), f"{name}.self_attn.out_proj")
        wide = self._gelu(self._linear(self._norm(x, f"{name}.final_layer_norm"), f"{name}.fc1"))
        return x + self._linear(wide, f"{name}.fc2")

    def _heads(self, x: mx.array) -> mx.array:
        return x.reshape(1, len(x), -1, HEAD).swapaxes(1, 2)

    def _convolve(self, x: mx.array, name: str, stride: int) -> mx.array:
        weight, bias = (self._weights[f"encoder.{name}.{part}"] for part in ("weight", "bias"))
        return mx.conv1d(x, weight, stride=stride, padding=1) + bias

    def _linear(self, x: mx.array, name: str) -> mx.array:
        weight, bias = self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias")
        return x @ weight.T if bias is None else mx.addmm(bias, x, weight.T)

    def _norm(self, x: mx.array, name: str) -> mx.array:
        return mx.fast.layer_norm(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], 1e-5)


def _fused_attention(q: mx.array, k: mx.array, v: mx.array, scale: float) -> mx.array:
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale)


def _name(name: str) -> str:
    """PyTorch's name of a tensor: mlx-audio writes `pool_attention_0` for `pool_attention.0`."""
    name = name.removeprefix("inner.")
    for part in ("pool_attention", "classifier"):
        name = name.replace(f"{part}_", f"{part}.")
    return name
