"""The DeepFilterNet 3 network (Schröter et al., 2023), causal and in blocks of any number of frames.

Separable convolutions and batch norms are folded into plain convolutions when the weights are read. Time is the first
axis of every array, channels the last. `FilterState` holds the state of a stream. The network is stateless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, mx.array]
Floats = NDArray[np.float32]

ERB_BANDS = 32
DF_BINS = 96
DF_ORDER = 5
CHANNELS = 64
HIDDEN = 256
KERNEL_PAST = 2
"""Frames before the current one that the input convolutions read."""
PATHWAY_PAST = 4
"""Frames before the current one that the convolution to the filter coefficients reads."""
BATCH_NORM_EPSILON = 1e-5


class FilterState(NamedTuple):
    """The state of one stream: past input frames, past encoder output, and the hidden state [1, HIDDEN] of each GRU."""

    bands: mx.array
    spectrum: mx.array
    encoded: mx.array
    hidden: tuple[mx.array, ...]


class Filters(NamedTuple):
    """For t frames: `gains` [t, ERB_BANDS] and complex filter `taps` [t, DF_BINS, DF_ORDER]."""

    gains: mx.array
    taps: mx.array


def first_state() -> FilterState:
    return FilterState(
        mx.zeros((KERNEL_PAST, ERB_BANDS)),
        mx.zeros((KERNEL_PAST, DF_BINS, 2)),
        mx.zeros((PATHWAY_PAST, DF_BINS, CHANNELS)),
        (mx.zeros((1, HIDDEN)),) * 5,
    )


class Network:
    """The network with its folded weights. Raises KeyError if a weight of DeepFilterNet 3 is missing.

    `fused`: the recurrent layers run as few large kernels, compiled by MLX at the first use. For a GPU: a CPU would
    have them built by a C++ compiler.
    """

    def __init__(self, weights: Weights, fused: bool = False) -> None:
        self._bands = [
            _Conv(weights, "enc.erb_conv0", inputs=1),
            _Conv(weights, "enc.erb_conv1", stride=2),
            _Conv(weights, "enc.erb_conv2", stride=2),
            _Conv(weights, "enc.erb_conv3"),
        ]
        self._spectrum = [_Conv(weights, "enc.df_conv0", inputs=2), _Conv(weights, "enc.df_conv1", stride=2)]
        self._pathways = [_Conv(weights, f"erb_dec.conv{i}p") for i in range(4)]
        self._up: list[_Conv | _Up] = [
            _Conv(weights, "erb_dec.convt3"),
            _Up(weights, "erb_dec.convt2"),
            _Up(weights, "erb_dec.convt1"),
        ]
        self._gains = _Conv(weights, "erb_dec.conv0_out")
        self._to_taps = _Conv(weights, "df_dec.df_convp")
        self._embed = weights["enc.df_fc_emb.0.weight"]
        self._encoder = _Recurrent(weights, "enc.emb_gru", 1, fused)
        self._gains_recurrent = _Recurrent(weights, "erb_dec.emb_gru", 2, fused)
        self._taps_recurrent = _Recurrent(weights, "df_dec.df_gru", 2, fused)
        self._taps_skip = weights["df_dec.df_skip.weight"]
        self._taps_out = weights["df_dec.df_out.0.weight"]

    def __call__(self, bands: mx.array, spectrum: mx.array, state: FilterState) -> tuple[Filters, FilterState]:
        """Filters for the next t frames, from the features `bands` [t, ERB_BANDS] and `spectrum` [t, DF_BINS, 2]."""
        frames = len(bands)
        bands = mx.concatenate([state.bands, bands])
        spectrum = mx.concatenate([state.spectrum, spectrum])
        levels = [mx.maximum(self._bands[0](bands[None, ..., None]), 0)]
        for conv in self._bands[1:]:
            levels.append(mx.maximum(conv(levels[-1]), 0))
        encoded = mx.maximum(self._spectrum[0](spectrum[None]), 0)
        narrowed = mx.maximum(self._spectrum[1](encoded), 0)
        embedding = levels[3].reshape(frames, -1) + mx.maximum(_grouped(narrowed.reshape(frames, -1), self._embed), 0)
        embedding, first = self._encoder(embedding, state.hidden[:1])
        gains, second = self._decode_gains(embedding, levels, state.hidden[1:3])
        encoded = mx.concatenate([state.encoded, encoded[0]])
        taps, third = self._decode_taps(embedding, encoded, state.hidden[3:])
        past = FilterState(
            bands[-KERNEL_PAST:], spectrum[-KERNEL_PAST:], encoded[-PATHWAY_PAST:], first + second + third
        )
        return Filters(gains, taps), past

    def _decode_gains(
        self, embedding: mx.array, levels: list[mx.array], hidden: tuple[mx.array, ...]
    ) -> tuple[mx.array, tuple[mx.array, ...]]:
        decoded, hidden = self._gains_recurrent(embedding, hidden)
        decoded = decoded.reshape(levels[3].shape)
        for level, up in zip((3, 2, 1), self._up, strict=True):
            decoded = mx.maximum(up(self._pathway(level, levels) + decoded), 0)
        return mx.sigmoid(self._gains(self._pathway(0, levels) + decoded))[0, ..., 0], hidden

    def _pathway(self, level: int, levels: list[mx.array]) -> mx.array:
        return mx.maximum(self._pathways[level](levels[level]), 0)

    def _decode_taps(
        self, embedding: mx.array, encoded: mx.array, hidden: tuple[mx.array, ...]
    ) -> tuple[mx.array, tuple[mx.array, ...]]:
        decoded, hidden = self._taps_recurrent(embedding, hidden)
        decoded = mx.tanh(_grouped(decoded + _grouped(embedding, self._taps_skip), self._taps_out))
        taps = decoded.reshape(-1, DF_BINS, 2 * DF_ORDER) + mx.maximum(self._to_taps(encoded[None]), 0)[0]
        return mx.contiguous(taps).view(mx.complex64), hidden


class _Conv:
    """A convolution over [1, t, bins, in] with pointwise convolution and batch norm folded in, no activation."""

    def __init__(self, weights: Weights, prefix: str, inputs: int = CHANNELS, stride: int = 1) -> None:
        kernel, bias = _folded(weights, prefix, inputs)
        self._kernel, self._bias, self._stride = mx.array(kernel), mx.array(bias), stride
        self._scale = mx.array(np.diagonal(kernel[:, 0, 0])) if _is_scale(kernel) else None

    def __call__(self, x: mx.array) -> mx.array:
        if self._scale is not None:
            return x * self._scale + self._bias
        padding = (0, self._kernel.shape[2] // 2)
        return mx.conv2d(x, self._kernel, stride=(1, self._stride), padding=padding) + self._bias


class _Up:
    """A transposed convolution that doubles the bins: kernel 3, stride 2. Two inputs determine a pair of outputs."""

    def __init__(self, weights: Weights, prefix: str) -> None:
        kernel, bias = _folded(weights, prefix, CHANNELS, transposed=True)  # [out, 1, 3, in]
        before, at, after = kernel[:, 0].swapaxes(0, 1)
        even = np.stack([at, np.zeros_like(at)], axis=1)
        odd = np.stack([after, before], axis=1)
        self._kernel = mx.array(np.concatenate([even, odd])[:, None])  # [2 out, 1, 2, in]
        self._bias = mx.array(bias)

    def __call__(self, x: mx.array) -> mx.array:
        batch, frames, bins, _ = x.shape
        pairs = mx.conv2d(mx.pad(x, [(0, 0), (0, 0), (0, 1), (0, 0)]), self._kernel)
        return pairs.reshape(batch, frames, 2 * bins, -1) + self._bias


class _Recurrent:
    """A grouped linear layer, GRU layers and an optional grouped linear layer: [t, n] → [t, m]."""

    def __init__(self, weights: Weights, prefix: str, layers: int, fused: bool) -> None:
        self._gru = _fused_gru if fused else _gru
        self._inward = weights[f"{prefix}.linear_in.0.weight"]
        self._outward = weights.get(f"{prefix}.linear_out.0.weight")
        self._layers = [_gru_weights(weights, f"{prefix}.gru", layer) for layer in range(layers)]

    def __call__(self, x: mx.array, hidden: tuple[mx.array, ...]) -> tuple[mx.array, tuple[mx.array, ...]]:
        x = mx.maximum(_grouped(x, self._inward), 0)
        last = []
        for layer, state in zip(self._layers, hidden, strict=True):
            x = self._gru(x, state, layer)
            last.append(x[-1:])
        if self._outward is not None:
            x = mx.maximum(_grouped(x, self._outward), 0)
        return x, tuple(last)


class _Gru(NamedTuple):
    """Gates in the order reset, update, new; `bias_new` is the recurrent bias of the new gate; `bias` has the rest."""

    inward: mx.array
    recurrent: mx.array
    bias: mx.array
    bias_new: mx.array


def _gru_weights(weights: Weights, prefix: str, layer: int) -> _Gru:
    inward, recurrent = (weights[f"{prefix}.weight_{side}_l{layer}"] for side in ("ih", "hh"))
    bias, inner = (weights[f"{prefix}.bias_{side}_l{layer}"] for side in ("ih", "hh"))
    bias = bias + mx.concatenate([inner[: 2 * HIDDEN], mx.zeros(HIDDEN)])
    return _Gru(mx.contiguous(inward.T), mx.contiguous(recurrent.T), bias, inner[2 * HIDDEN :])


def _gru(x: mx.array, hidden: mx.array, weights: _Gru) -> mx.array:
    """Hidden state at each frame [t, HIDDEN], for inputs x [t, HIDDEN] and the initial state `hidden` [1, HIDDEN]."""
    gates, news = mx.split(mx.addmm(weights.bias, x, weights.inward), [2 * HIDDEN], axis=1)
    states = []
    for gate, new in zip(mx.split(gates, len(x)), mx.split(news, len(x)), strict=True):
        recurrent_gate, recurrent_new = mx.split(hidden @ weights.recurrent, [2 * HIDDEN], axis=1)
        reset, update = mx.split(mx.sigmoid(gate + recurrent_gate), 2, axis=1)
        new = mx.tanh(new + reset * (recurrent_new + weights.bias_new))
        hidden = new + update * (hidden - new)
        states.append(hidden)
    return mx.concatenate(states)


@mx.compile
def _cell(
    reset: mx.array,
    update: mx.array,
    new: mx.array,
    recurrent_reset: mx.array,
    recurrent_update: mx.array,
    recurrent_new: mx.array,
    bias_new: mx.array,
    hidden: mx.array,
) -> mx.array:
    """The next hidden state, all [1, HIDDEN], in one kernel."""
    reset, update = mx.sigmoid(reset + recurrent_reset), mx.sigmoid(update + recurrent_update)
    new = mx.tanh(new + reset * (recurrent_new + bias_new))
    return new + update * (hidden - new)


def _fused_gru(x: mx.array, hidden: mx.array, weights: _Gru) -> mx.array:
    """`_gru` in 2 kernels a frame instead of 10: a product and a cell."""
    gates = mx.split(mx.addmm(weights.bias, x, weights.inward), 3, axis=1)
    states = []
    for reset, update, new in zip(*(mx.split(gate, len(x)) for gate in gates), strict=True):
        to_reset, to_update, to_new = mx.split(hidden @ weights.recurrent, 3, axis=1)
        hidden = _cell(reset, update, new, to_reset, to_update, to_new, weights.bias_new, hidden)
        states.append(hidden)
    return mx.concatenate(states)


def _grouped(x: mx.array, weight: mx.array) -> mx.array:
    """x [t, groups * n] by weight [groups, n, m] → [t, groups * m]."""
    groups, size, _ = weight.shape
    return (x.reshape(-1, groups, size).swapaxes(0, 1) @ weight).swapaxes(0, 1).reshape(len(x), -1)


def _is_scale(kernel: Floats) -> bool:
    """Whether an [out, 1, 1, in] kernel only scales its channels."""
    square = kernel.shape[1:3] == (1, 1) and kernel.shape[0] == kernel.shape[3]
    return square and not np.any(kernel[:, 0, 0] * (1 - np.eye(len(kernel), dtype=np.float32)))


def _folded(weights: Weights, prefix: str, inputs: int, transposed: bool = False) -> tuple[Floats, Floats]:
    """One dense kernel [out, time, bins, in] and bias [out] for the convolutions and the batch norm under `prefix`."""
    names = sorted(name for name in weights if name.startswith(f"{prefix}."))
    norm = next(name.removesuffix("running_mean") for name in names if name.endswith(".running_mean"))
    convolutions = [np.array(weights[name]) for name in names if weights[name].ndim == 4]
    kernel = _dense(convolutions[0], inputs // convolutions[0].shape[1])
    if transposed:
        kernel = kernel.swapaxes(0, 1)
    for pointwise in convolutions[1:]:
        kernel = np.einsum("op,pitb->oitb", pointwise[:, :, 0, 0], kernel)
    gain, shift, mean, variance = (
        np.array(weights[norm + part]) for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / np.sqrt(variance + BATCH_NORM_EPSILON)
    return _float32(kernel.transpose(0, 2, 3, 1) * scale[:, None, None, None]), _float32(shift - mean * scale)


def _float32(values: NDArray[Any]) -> Floats:
    return values.astype(np.float32)


def _dense(kernel: Floats, groups: int) -> Floats:
    """[rows, columns / groups, ...] → [rows, columns, ...], zero between the groups."""
    rows, columns = kernel.shape[:2]
    dense = np.zeros((rows, groups * columns, *kernel.shape[2:]), np.float32)
    for group in range(groups):
        block = slice(group * rows // groups, (group + 1) * rows // groups)
        dense[block, group * columns : (group + 1) * columns] = kernel[block]
    return dense
