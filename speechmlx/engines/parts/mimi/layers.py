"""Causal convolutions in pieces: each keeps the end of its input for the next. All arrays are [b, time, channels].

They are matrix products: MLX's CPU backend has no fast convolution, and a GPU computes these as products too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.causal_conv import Past


class MimiConv(nn.Module):
    """A convolution of `width` with `stride` 1, or half of its width. weight [out, width * in]."""

    def __init__(self, inputs: int, outputs: int, width: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        assert stride in (1, width // 2)
        self.weight = mx.zeros((outputs, width * inputs))
        if bias:
            self.bias = mx.zeros(outputs)
        self._inputs, self._width, self._stride = inputs, width, stride

    def tails(self) -> Iterator[tuple[int, ...]]:
        """The shape of its tail, without the rows: none of it for a convolution of one step."""
        if self._width > self._stride:
            yield self._width - self._stride, self._inputs

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        """[b, n * stride, in] → [b, n, out]"""
        if self._width > self._stride:
            x = past.extend(x)
        return self._product(x)

    def _product(self, x: mx.array) -> mx.array:
        """x with the tail before it."""
        y = _windows(x, self._width, self._stride) @ self.weight.T
        return y + self.bias if "bias" in self else y


def _windows(x: mx.array, width: int, stride: int) -> mx.array:
    """[b, n * stride + width - stride, c] → [b, n, width * c]"""
    if stride == 1:
        count = x.shape[1] - width + 1
        return mx.concatenate([x[:, first : first + count] for first in range(width)], axis=2)
    blocks = x.reshape(len(x), x.shape[1] // stride, -1)
    return mx.concatenate([blocks[:, :-1], blocks[:, 1:]], axis=2)


class MimiDownsample(MimiConv):
    """A convolution without a bias that has before the first piece its first step, not silence."""

    def first(self, x: mx.array, fresh: mx.array, past: Past) -> mx.array:
        """As a call; `fresh` [b]: rows whose first piece this is."""
        tail = mx.where(fresh[:, None, None], x[:, :1], past.take())
        return self._product(past.put_behind(tail, x))


class MimiConvTranspose(nn.Module):
    """A transposed convolution twice as wide as its stride. weight [2 * stride * out, in]."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.weight = mx.zeros((2 * stride * outputs, inputs))
        self.bias = mx.zeros(outputs)
        self._outputs, self._stride = outputs, stride

    def tails(self) -> Iterator[tuple[int, ...]]:
        yield 1, self._stride * self._outputs

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        """[b, n, in] → [b, n * stride, out]"""
        b, n, _ = x.shape
        both = (x @ self.weight.T).reshape(b, n, 2, self._stride * self._outputs)
        y = _overlapped(both[:, :, 0], both[:, :, 1], past)
        return y.reshape(b, n * self._stride, self._outputs) + self.bias


class MimiUpsample(nn.Module):
    """The same per channel, without a bias. weight [2, stride, channels]."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.weight = mx.zeros((2, stride, channels))

    def tails(self) -> Iterator[tuple[int, ...]]:
        yield 1, self.weight.shape[1] * self.weight.shape[2]

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        """[b, n, c] → [b, n * stride, c]"""
        b, n, c = x.shape
        both = (x[:, :, None, None] * self.weight).reshape(b, n, 2, -1)
        return _overlapped(both[:, :, 0], both[:, :, 1], past).reshape(b, -1, c)


def _overlapped(now: mx.array, later: mx.array, past: Past) -> mx.array:
    """Each step's first half with the second half of the step before; [b, n, stride * out]."""
    tail = past.take()
    past.leave(later[:, -1:])
    return now + mx.concatenate([tail, later[:, :-1]], axis=1)


class MimiUnit(nn.Module):
    """Two convolutions beside the identity. Its list has the places of the checkpoint's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.block = [nn.ELU(), MimiConv(channels, inner, 3), nn.ELU(), MimiConv(inner, channels, 1)]

    def tails(self) -> Iterator[tuple[int, ...]]:
        return chain_tails(self.block)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return x + run_chain(self.block, x, past)


def run_chain(layers: Sequence[Any], x: mx.array, past: Past) -> mx.array:
    """Layers one after the other."""
    for layer in layers:
        x = layer(x, past) if hasattr(layer, "tails") else layer(x)
    return x


def chain_tails(layers: Sequence[Any]) -> Iterator[tuple[int, ...]]:
    """The shapes of the tails of layers, in the order of use."""
    for layer in layers:
        if hasattr(layer, "tails"):
            yield from layer.tails()
