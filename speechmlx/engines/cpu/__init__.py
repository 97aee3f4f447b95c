"""Fast versions of operations that are slow on MLX's CPU backend: convolutions here, other operations in the modules.

MLX's convolutions there are up to three hundred times slower than the equal matrix products, its sine forty times
slower than numpy's. `install()` replaces such operations of mlx, so that any network written for mlx runs fast
unchanged. The replacements handle float32. They call the original for what mlx does well and for what no model here
uses. Results differ by rounding, because sums are taken in another order.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.cpu import attention, functions, product
from speechmlx.engines.cpu.attention import attend
from speechmlx.engines.cpu.elementwise import BLOCK, gelu, logsumexp, view
from speechmlx.engines.cpu.product import Matrix, multiply
from speechmlx.engines.cpu.rotary import Rotation, rope

__all__ = [
    "BLOCK",
    "Matrix",
    "Rotation",
    "attend",
    "conv1d",
    "conv_transpose1d",
    "gelu",
    "install",
    "logsumexp",
    "multiply",
    "rope",
    "view",
]

_conv1d = mx.conv1d
_conv_transpose1d = mx.conv_transpose1d

LONG = 1024
"""Number of outputs from which on one product per tap, which reads x in place, is faster than gathering windows."""


def install() -> bool:
    """Replace the slow operations in this process if the default device is the CPU. Returns whether it did."""
    if mx.default_device().type != mx.DeviceType.cpu:
        return False
    mx.conv1d, mx.conv_transpose1d = conv1d, conv_transpose1d
    for name, ours in (("rope", rope), ("scaled_dot_product_attention", attention.fused)):
        setattr(mx.fast, name, ours)
    functions.install()
    mx.disable_compile()  # a C++ compiler would build it, and it computes one element at a time
    nn.Linear.__call__, nn.Embedding.as_linear = product.linear, product.as_linear
    return True


@wraps(_conv1d)
def conv1d(
    x: mx.array,
    weight: mx.array,
    /,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    *,
    stream: Any = None,
) -> mx.array:
    """x [b, t, in], weight [out, k, in / groups] → [b, t', out], as mx.conv1d."""
    ours = groups == 1 and stride == 1 and stream is None and _plain(x, weight, padding, groups)
    out, taps, channels = weight.shape
    length = x.shape[1] + 2 * padding - dilation * (taps - 1) if ours else 0
    if length <= 0 or (dilation == 1 and taps > 1 and length < LONG):
        return _conv1d(x, weight, stride, padding, dilation, groups, stream=stream)
    if padding:
        x = mx.pad(x, [(0, 0), (padding, padding), (0, 0)])
    if taps == 1 or length >= LONG:
        result = x[:, :length] @ _tap(weight, 0)
        for tap in range(1, taps):
            start = tap * dilation
            result = mx.addmm(result, x[:, start : start + length], _tap(weight, tap))
        return result
    batch, time, _ = x.shape
    strides = (time * channels, channels, dilation * channels, 1)
    windows = mx.as_strided(mx.contiguous(x), (batch, length, taps, channels), strides)
    return windows.reshape(batch, length, taps * channels) @ weight.reshape(out, taps * channels).T


@wraps(_conv_transpose1d)
def conv_transpose1d(
    x: mx.array,
    weight: mx.array,
    /,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
    groups: int = 1,
    *,
    stream: Any = None,
) -> mx.array:
    """x [b, t, in], weight [out, k, in / groups] → [b, t', out], as mx.conv_transpose1d.

    Taps that use the same input sample are one product, whose row holds the `stride` outputs of these taps.
    """
    depthwise = groups > 1 and groups == x.shape[-1] == weight.shape[0]
    ours = (groups == 1 or depthwise) and dilation == 1 and stream is None and _plain(x, weight, padding, groups)
    if not ours or output_padding > padding or padding >= weight.shape[1]:
        return _conv_transpose1d(x, weight, stride, padding, dilation, output_padding, groups, stream=stream)
    (batch, time, _), (out, taps, channels) = x.shape, weight.shape
    rounds = -(-taps // stride)
    weight = mx.pad(weight, [(0, 0), (0, rounds * stride - taps), (0, 0)])
    weight = weight.reshape(out, rounds, stride, channels).transpose(1, 3, 2, 0)  # [rounds, in, stride, out]
    rows = time + rounds - 1
    x = mx.pad(x, [(0, 0), (rounds - 1, rounds - 1), (0, 0)])
    shifted = [x[:, rounds - 1 - i : rounds - 1 - i + rows] for i in range(rounds)]
    if depthwise:
        result = shifted[0][:, :, None] * weight[0, 0]
        for part, factors in zip(shifted[1:], weight[1:, 0], strict=True):
            result = result + part[:, :, None] * factors
    else:
        weight = weight.reshape(rounds, channels, stride * out)
        result = shifted[0] @ weight[0]
        for part, matrix in zip(shifted[1:], weight[1:], strict=True):
            result = mx.addmm(result, part, matrix)
    end = (time - 1) * stride + taps - padding + output_padding
    return result.reshape(batch, rows * stride, out)[:, padding:end]


def _tap(weight: mx.array, tap: int) -> mx.array:
    """Weights [in, out] of one tap, copied to row order: mlx would copy other layouts element by element."""
    return mx.contiguous(weight[:, tap]).T


def _plain(x: mx.array, weight: mx.array, padding: object, groups: int) -> bool:
    """Whether the arguments are of the types handled here. mlx reports errors in others."""
    arrays = x.ndim == weight.ndim == 3 and x.dtype == weight.dtype == mx.float32
    return arrays and isinstance(padding, int) and weight.shape[2] * groups == x.shape[2]
