"""Causal convolutions over streams [B, T, C] that come in pieces: each layer remembers the end of the last piece.

What the layers of a network remember is one list of arrays with the streams along the first axis: `StreamRows`. So
streams join and leave a batch by an index. One step of a network hands a `Past` from layer to layer. The past of a new
stream is zeros, as the padding of a whole convolution is, so a stream in any pieces gives what it gives whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import mlx.core as mx


class StreamLayer(Protocol):
    """A layer, or a network of them, that remembers something of its streams."""

    def first(self, rows: int) -> list[mx.array]:
        """What it remembers of `rows` new streams: arrays [rows, ...]."""


def first_of(layers: Iterable[StreamLayer], rows: int) -> list[mx.array]:
    """What these layers, in the order in which they are used, remember of `rows` new streams."""
    return [array for layer in layers for array in layer.first(rows)]


class StreamRows:
    """What a network remembers of its streams: arrays [B, ...], in the order in which its layers use them."""

    def __init__(self, arrays: Sequence[mx.array]) -> None:
        self.arrays = list(arrays)

    def __len__(self) -> int:
        """B, the number of streams."""
        return len(self.arrays[0])

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)

    def keep(self, rows: Sequence[int]) -> None:
        """Let all streams go but those at the places `rows`, which are streams 0, 1, ... from now on."""
        chosen = mx.array(list(rows), mx.int32)
        self.arrays = [mx.take(array, chosen, axis=0) for array in self.arrays]

    def join(self, other: StreamRows) -> None:
        """Put the streams of `other`, which must not be stepped any more, behind those that are here."""
        self.arrays = [mx.concatenate(list(pair)) for pair in zip(self.arrays, other.arrays, strict=True)]


class Past:
    """What the layers of a network remember, in one step of it: each layer takes its arrays in turn."""

    def __init__(self, arrays: Sequence[mx.array]) -> None:
        self._arrays = iter(arrays)
        self.after: list[mx.array] = []
        """The arrays for the next step; complete after the last layer."""

    def take(self) -> mx.array:
        """The next array of the last step, in place of which the layer must `leave` one."""
        return next(self._arrays)

    def leave(self, array: mx.array) -> None:
        self.after.append(array)

    def extend(self, x: mx.array, axis: int = 1) -> mx.array:
        """`x` behind the next array along `axis`; its end, as long as that array, is left for the next step."""
        return self.put_behind(self.take(), x, axis)

    def put_behind(self, before: mx.array, x: mx.array, axis: int = 1) -> mx.array:
        """`extend` for an array that was taken before."""
        joined = mx.concatenate([before, x], axis=axis)
        self.leave(mx.split(joined, [joined.shape[axis] - before.shape[axis]], axis=axis)[1])
        return joined


class CausalConv:
    """A convolution [B, T, in] → [B, T / stride, out] whose outputs need no later input.

    It has a stride or groups, or a dilation, or none of them. `weight` is [out, taps, in / groups], `bias` [out].
    Before a stream begins is silence, or with `repeated` its first value for ever. A piece whose T is no multiple of
    the stride is the last one of its streams: it is filled up with zeros, or with `repeated` by its last value.
    """

    def __init__(
        self,
        weight: mx.array,
        bias: mx.array | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        repeated: bool = False,
    ) -> None:
        assert dilation == 1 or (stride == 1 and groups == 1)
        self._weight, self._bias = weight, bias
        self._stride, self._dilation, self._groups, self._repeated = stride, dilation, groups, repeated
        self._inputs = weight.shape[2] * groups
        self._before = (weight.shape[1] - 1) * dilation + 1 - stride

    def first(self, rows: int) -> list[mx.array]:
        """What it remembers of `rows` new streams."""
        if not self._before:
            return []
        before = mx.zeros((rows, self._before, self._inputs), self._weight.dtype)
        return [before, mx.zeros((rows, 1, 1), mx.bool_)] if self._repeated else [before]

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        ending = x[:, -1:]
        missing = -x.shape[1] % self._stride
        if self._before:
            x = self._extended(x, past)
        if missing:
            filling = mx.repeat(ending if self._repeated else mx.zeros_like(ending), missing, axis=1)
            x = mx.concatenate([x, filling], axis=1)
        if self._dilation > 1:
            y = self._dilated(x)
        else:
            y = mx.conv1d(x, self._weight, stride=self._stride, groups=self._groups)
        return y if self._bias is None else y + self._bias

    def _dilated(self, x: mx.array) -> mx.array:
        """The convolution as one product: MLX's CPU backend takes a hundred times as long for it with a dilation."""
        rows, length, inputs = x.shape
        out, taps, _ = self._weight.shape
        steps = length - (taps - 1) * self._dilation
        strides = (length * inputs, inputs, self._dilation * inputs, 1)
        windows = mx.as_strided(x, (rows, steps, taps, inputs), strides)
        return windows.reshape(rows, steps, taps * inputs) @ self._weight.reshape(out, taps * inputs).T

    def _extended(self, x: mx.array, past: Past) -> mx.array:
        before = past.take()
        if not self._repeated:
            return past.put_behind(before, x)
        begun = past.take()
        joined = past.put_behind(mx.where(begun, before, x[:, :1]), x)
        past.leave(mx.ones_like(begun))
        return joined


def upsampling_kernel(weight: mx.array, stride: int, groups: int = 1) -> mx.array:
    """The weight [out, taps * stride, in / groups] of a transposed convolution, as `CausalUpsample` computes with it.

    That is the kernel [stride * out, taps, in / groups] of a plain convolution which makes `stride` outputs at once.
    """
    out, length, inputs = weight.shape
    assert length % stride == 0, f"a kernel of {length} is no multiple of the stride {stride}"
    parts = weight.reshape(out, length // stride, stride, inputs)[:, ::-1]  # the oldest input first
    order = (2, 0, 1, 3) if groups == 1 else (0, 2, 1, 3)  # a group's outputs must be neighbours
    return mx.contiguous(parts.transpose(*order).reshape(stride * out, length // stride, inputs))


class CausalUpsample:
    """A transposed convolution [B, T, in] → [B, T * stride, out], without the outputs that need later input.

    `kernel` is that of `upsampling_kernel`, `bias` [out].
    """

    def __init__(self, kernel: mx.array, bias: mx.array | None, stride: int, groups: int = 1) -> None:
        self._conv = CausalConv(kernel, groups=groups)
        self._bias, self._stride, self._groups = bias, stride, groups

    def first(self, rows: int) -> list[mx.array]:
        """What it remembers of `rows` new streams."""
        return self._conv.first(rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        y = self._conv(x, past)
        rows, steps, _ = y.shape
        if self._groups == 1:
            y = y.reshape(rows, steps * self._stride, -1)
        else:
            y = y.reshape(rows, steps, -1, self._stride).swapaxes(2, 3).reshape(rows, steps * self._stride, -1)
        return y if self._bias is None else y + self._bias
