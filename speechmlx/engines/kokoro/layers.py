"""Kokoro's layers, as closures over their weights. Every signal is [time, channels].

On a GPU the layers use MLX's own operations. On a CPU, MLX's convolutions, sines and selections are scalar code. There
a convolution is a sum of matrix products and the snake activation is a polynomial (`on_cpu`). Both are accurate to
float32 audio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mlx.core as mx

Layer = Callable[[mx.array], mx.array]
Styled = Callable[[mx.array, mx.array], mx.array]
StyledResidual = Callable[[mx.array, mx.array, mx.array | None], mx.array]
"""(x, style, residual to add to the result, or None) → the result."""
Recurrence = Callable[[Sequence[mx.array]], list[mx.array]]
"""Several signals of any lengths, each → its own result."""

NORM_EPS = 1e-5


@dataclass(frozen=True)
class Weights:
    """The tensors of one model by name, in `dtype`, and whether to build the layers for a CPU."""

    tensors: Mapping[str, mx.array]
    dtype: mx.Dtype
    cpu: bool

    def __getitem__(self, name: str) -> mx.array:
        return self.tensors[name].astype(self.dtype)

    def get(self, name: str) -> mx.array | None:
        return self[name] if name in self.tensors else None

    def exact(self) -> Weights:
        """The same weights in float32."""
        return Weights(self.tensors, mx.float32, self.cpu)

    def kernel(self, name: str, inputs: int) -> mx.array:
        """The convolution kernel `name` as float32 [a, k, b], its weight norm folded in.

        `inputs` is the size of the channel axis that follows the kernel's first axis: files hold either [a, b, k]
        (PyTorch) or [a, k, b] (MLX).
        """
        if f"{name}.weight" in self.tensors:
            weight = self.tensors[f"{name}.weight"].astype(mx.float32)
        else:
            v = self.tensors[f"{name}.weight_v"].astype(mx.float32)
            g = self.tensors[f"{name}.weight_g"].astype(mx.float32)
            norm = mx.sqrt(mx.sum(v * v, axis=(1, 2), keepdims=True))
            weight = v * (g / mx.maximum(norm, 1e-12))  # a channel of zeros stays zero
        return weight if weight.shape[2] == inputs else weight.swapaxes(1, 2)


def linear(weights: Weights, name: str) -> Layer:
    """x [..., in] → [..., out]."""
    weight, bias = mx.contiguous(weights[f"{name}.weight"].T), weights[f"{name}.bias"]
    return lambda x: mx.addmm(bias, x, weight)


def conv(weights: Weights, name: str, inputs: int) -> Layer:
    """A convolution that keeps the length: x [t, in] → [t, out]."""
    kernel, bias = weights.kernel(name, inputs).astype(weights.dtype), _bias(weights, name)
    edge = kernel.shape[1] // 2
    if weights.cpu or not edge:
        valid = _conv_by_taps(kernel, bias)
        return lambda x: valid(mx.pad(x, [(edge, edge), (0, 0)]) if edge else x)
    return lambda x: mx.conv1d(x[None], kernel, padding=edge)[0] + bias


def _bias(weights: Weights, name: str) -> mx.array:
    bias = weights.get(f"{name}.bias")
    return mx.array(0.0, weights.dtype) if bias is None else bias


def _conv_by_taps(kernel: mx.array, bias: mx.array) -> Layer:
    """A convolution without padding by one matrix product per tap of `kernel` [out, k, in]."""
    taps = [mx.contiguous(kernel[:, i].T) for i in range(kernel.shape[1])]

    def run(x: mx.array) -> mx.array:
        length = x.shape[0] - len(taps) + 1
        y = mx.addmm(bias, x[:length], taps[0])
        for i, tap in enumerate(taps[1:], 1):
            y = mx.addmm(y, x[i : i + length], tap)
        return y

    return run


def up_conv(weights: Weights, name: str, inputs: int, outputs: int, stride: int) -> Layer:
    """A transposed convolution with a kernel of 2 * stride: x [t, in] → [t * stride, out]."""
    kernel = weights.kernel(name, outputs).astype(weights.dtype)
    if kernel.shape != (inputs, 2 * stride, outputs):
        raise ValueError(f"{name} is {kernel.shape}, not {(inputs, 2 * stride, outputs)}")
    kernel, bias, trim = mx.contiguous(kernel.reshape(inputs, -1)), weights[f"{name}.bias"], stride // 2

    def run(x: mx.array) -> mx.array:
        first, second = mx.split((x @ kernel).reshape(-1, 2, stride, outputs), 2, axis=1)
        y = mx.pad(first[:, 0], [(0, 1), (0, 0), (0, 0)]) + mx.pad(second[:, 0], [(1, 0), (0, 0), (0, 0)])
        return y.reshape(-1, outputs)[trim : x.shape[0] * stride + trim] + bias

    return run


def down_conv(weights: Weights, name: str, inputs: int, stride: int) -> Layer:
    """A convolution with a kernel of 2 * stride: x [t * stride + 1, in] → [t, out]."""
    kernel = weights.kernel(name, inputs).astype(weights.dtype)
    flat = mx.contiguous(kernel.reshape(kernel.shape[0], -1).T)
    bias, edge = weights[f"{name}.bias"], (stride + 1) // 2

    def run(x: mx.array) -> mx.array:
        count = (x.shape[0] + 2 * edge - 2 * stride) // stride + 1
        x = mx.pad(x, [(edge, edge), (0, 0)])[: (count + 1) * stride]
        blocks = x.reshape(count + 1, -1)
        return mx.addmm(bias, mx.concatenate([blocks[:-1], blocks[1:]], axis=1), flat)

    return run


def double_conv(weights: Weights, name: str) -> Layer:
    """A depthwise transposed convolution with kernel 3 and stride 2: x [t, c] → [2t, c]."""
    taps = weights.kernel(name, 1)[:, :, 0].T.astype(weights.dtype)
    bias = weights[f"{name}.bias"]

    def run(x: mx.array) -> mx.array:
        following = mx.pad(x[1:], [(0, 1), (0, 0)])
        pair = mx.stack([x * taps[1], following * taps[0] + x * taps[2]], axis=1)
        return pair.reshape(-1, x.shape[1]) + bias

    return run


def adain(weights: Weights, name: str) -> Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]:
    """Adaptive instance norm: (x [t, c], style [1, s]) → the factor [c] and the shift [c] to apply to x."""
    style_fc = linear(weights, f"{name}.fc")

    def run(x: mx.array, style: mx.array) -> tuple[mx.array, mx.array]:
        gamma, beta = mx.split(style_fc(style).astype(mx.float32)[0], 2)
        wide = x.astype(mx.float32)
        mean = mx.mean(wide, axis=0)
        variance = mx.maximum(mx.mean(mx.square(wide), axis=0) - mx.square(mean), 0.0)
        factor = (1 + gamma) * mx.rsqrt(variance + NORM_EPS)
        return factor.astype(x.dtype), (beta - mean * factor).astype(x.dtype)

    return run


def snake_conv(weights: Weights, norm: str, alpha: str, name: str, channels: int, dilation: int) -> StyledResidual:
    """Adaptive instance norm, snake x + sin²(αx)/α and convolution: (x [t, c], style, residual) → [t, c]."""
    a, kernel, bias = weights[alpha].reshape(-1), weights.kernel(name, channels), _bias(weights, name)
    if weights.cpu:
        from speechmlx.engines.kokoro import on_cpu  # imported late: unused on a GPU

        return on_cpu.snake_conv(linear(weights, f"{norm}.fc"), a, kernel, bias, dilation, NORM_EPS)
    normed, edge, kernel = adain(weights, norm), kernel.shape[1] // 2 * dilation, kernel.astype(weights.dtype)

    def run(x: mx.array, style: mx.array, residual: mx.array | None) -> mx.array:
        x = _snake(x, *normed(x, style), a)
        y = mx.conv1d(x[None], kernel, padding=edge, dilation=dilation)[0] + bias
        return y if residual is None else y + residual

    return run


@mx.compile
def _snake(x: mx.array, factor: mx.array, shift: mx.array, a: mx.array) -> mx.array:
    x = x * factor + shift
    return x + mx.square(mx.sin(a * x)) / a


def leaky(x: mx.array, slope: float) -> mx.array:
    """Leaky ReLU as a maximum: MLX's selection is scalar code on a CPU. Needs 0 <= `slope` <= 1."""
    return mx.maximum(x, x * slope)


def lstm(weights: Weights, name: str) -> Recurrence:
    """A bidirectional LSTM, with one step for both directions and all signals: [t, in] of each → [t, 2 * hidden].

    Each comes out as it does alone: what pads a shorter one follows its end in both directions.
    """
    ends = ("", "_reverse")
    inward = mx.stack([_gates(weights[f"{name}.weight_ih_l0{e}"]).T for e in ends])
    recurrent = mx.contiguous(mx.stack([_gates(weights[f"{name}.weight_hh_l0{e}"]).T for e in ends]))
    biases = [weights[f"{name}.bias_ih_l0{e}"] + weights[f"{name}.bias_hh_l0{e}"] for e in ends]
    bias = mx.stack([_gates(b) for b in biases])[:, None]
    hidden = recurrent.shape[1]
    step = _lstm_step if weights.cpu else mx.compile(_lstm_step)

    def run(signals: Sequence[mx.array]) -> list[mx.array]:
        count, longest = len(signals), max(x.shape[0] for x in signals)
        forward, backward = (mx.concatenate([_padded(x[::way], longest) for x in signals]) for way in (1, -1))
        gates = (mx.stack([forward, backward]) @ inward + bias).reshape(2, count, longest, -1)
        h = c = mx.zeros((2, count, hidden), signals[0].dtype)
        states = []
        for t in range(longest):
            h, c = step(gates[:, :, t], h, c, recurrent)
            states.append(h)
        both = mx.stack(states, axis=2)
        kept = ((both[:, number, : x.shape[0]]) for number, x in enumerate(signals))
        return [mx.concatenate([one[0], one[1, ::-1]], axis=-1) for one in kept]

    return run


def _padded(x: mx.array, length: int) -> mx.array:
    return mx.pad(x, [(0, length - x.shape[0]), (0, 0)]) if length > x.shape[0] else x


def _gates(w: mx.array) -> mx.array:
    """Reorder PyTorch's gates i, f, g, o to i, f, o, g, so that the three sigmoid gates are adjacent."""
    i, f, g, o = mx.split(w, 4, axis=0)
    return mx.concatenate([i, f, o, g], axis=0)


def _lstm_step(gates: mx.array, h: mx.array, c: mx.array, recurrent: mx.array) -> tuple[mx.array, mx.array]:
    gates = gates + h @ recurrent
    size = h.shape[-1]
    i, f, o = mx.split(mx.sigmoid(gates[..., : 3 * size]), 3, axis=-1)
    c = f * c + i * mx.tanh(gates[..., 3 * size :])
    return o * mx.tanh(c), c


def styled_block(weights: Weights, name: str, inputs: int, outputs: int, double: bool = False) -> Styled:
    """A residual block of the decoder and of the F0 and energy predictors: (x [t, in], style) → [t or 2t, out]."""
    norm1, norm2 = adain(weights, f"{name}.norm1"), adain(weights, f"{name}.norm2")
    conv1, conv2 = conv(weights, f"{name}.conv1", inputs), conv(weights, f"{name}.conv2", outputs)
    grow = double_conv(weights, f"{name}.pool") if double else None
    shortcut = conv(weights, f"{name}.conv1x1", inputs) if f"{name}.conv1x1.weight_v" in weights.tensors else None

    def run(x: mx.array, style: mx.array) -> mx.array:
        factor, shift = norm1(x, style)
        y = leaky(x * factor + shift, 0.2)
        y = conv1(grow(y) if grow else y)
        factor, shift = norm2(y, style)
        y = conv2(leaky(y * factor + shift, 0.2))
        x = mx.repeat(x, 2, axis=0) if double else x
        return (y + (shortcut(x) if shortcut else x)) * math.sqrt(0.5)

    return run
