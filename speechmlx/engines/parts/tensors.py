"""The weights of a network by their published names, and the layers that read them. Sequences are [batch, time, ch]."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

SLOPE = 0.01
"""Of a leaky ReLU, where a network names none."""


class Tensors:
    """A part of the weights: those whose names begin with a prefix.

    Linear layers are [out, in] and convolutions [out, taps, in], transposed ones too.
    """

    def __init__(self, weights: Mapping[str, mx.array], prefix: str = "", counts: dict[str, int] | None = None) -> None:
        """`counts`: the lengths of lists that were counted already."""
        self._weights, self._prefix = weights, prefix
        self._counts: dict[str, int] = {} if counts is None else counts

    def under(self, name: str) -> Tensors:
        """The weights below the module `name`."""
        return Tensors(self._weights, f"{self._prefix}{name}.", self._counts)

    def __getitem__(self, name: str) -> mx.array:
        return self._weights[self._prefix + name]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._weights

    def count(self, name: str) -> int:
        """Number of modules in the list `name`."""
        start = f"{self._prefix}{name}."
        if start not in self._counts:
            numbers = {key[len(start) :].partition(".")[0] for key in self._weights if key.startswith(start)}
            self._counts[start] = sum(number.isdigit() for number in numbers)
        return self._counts[start]

    def linear(self, name: str, x: mx.array) -> mx.array:
        """x [..., in] → [..., out], with the bias that the layer has, if any."""
        weight = self[f"{name}.weight"]
        if f"{name}.bias" in self:
            return mx.addmm(self[f"{name}.bias"], x, weight.T)
        return x @ weight.T

    def conv(
        self, name: str, x: mx.array, *, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
    ) -> mx.array:
        """x [b, t, in] → [b, t', out], with the bias that the layer has, if any."""
        y = mx.conv1d(x, self[f"{name}.weight"], stride, padding, dilation, groups)
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y

    def causal_conv(self, name: str, x: mx.array, *, dilation: int = 1, groups: int = 1) -> mx.array:
        """x [b, t, in] → [b, t, out]: each frame sees itself and those before it."""
        reach = (self[f"{name}.weight"].shape[1] - 1) * dilation
        return self.conv(name, mx.pad(x, [(0, 0), (reach, 0), (0, 0)]), dilation=dilation, groups=groups)

    def transposed_conv(self, name: str, x: mx.array, *, stride: int, padding: int) -> mx.array:
        """x [b, t, in] → [b, t', out], with a bias."""
        return mx.conv_transpose1d(x, self[f"{name}.weight"], stride, padding) + self[f"{name}.bias"]

    def norm(self, name: str, x: mx.array, epsilon: float = 1e-5) -> mx.array:
        """Layer normalisation over the channels."""
        return mx.fast.layer_norm(x, self[f"{name}.weight"], self[f"{name}.bias"], epsilon)

    def group_norm(self, name: str, x: mx.array, groups: int, epsilon: float = 1e-5) -> mx.array:
        """x [b, t, c], normalised over the time and the channels of each group."""
        parts = x.reshape(*x.shape[:2], groups, -1)
        centred = parts - parts.mean(axis=(1, 3), keepdims=True)
        scaled = centred * mx.rsqrt(mx.square(centred).mean(axis=(1, 3), keepdims=True) + epsilon)
        return scaled.reshape(x.shape) * self[f"{name}.weight"] + self[f"{name}.bias"]


def leaky_relu(x: mx.array, slope: float = SLOPE) -> mx.array:
    """`x` where it is above 0, `slope` times that elsewhere."""
    return mx.maximum(x, slope * x)


def mish(x: mx.array) -> mx.array:
    """x * tanh(softplus(x))."""
    return x * mx.tanh(mx.logaddexp(x, 0.0))


def gelu(x: mx.array) -> mx.array:
    """x * the normal distribution's share below x: the exact form, not that by tanh."""
    return x * (1 + mx.erf(x / 2**0.5)) / 2
