"""How long each phone is: the mean of what a plain network says and of what a normalising flow draws."""

from __future__ import annotations

import math

import mlx.core as mx

from speechmlx.engines.melotts.relative_encoder import same_conv
from speechmlx.engines.parts.tensors import Tensors, gelu

BOUND = 5.0
"""The splines of the flow change what is between -BOUND and BOUND."""
LEAST = 1e-3
"""Width and height of a spline's bin at least, of the whole; and its slope."""


class PlainDurations:
    """Logarithms of durations, the same each time."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors

    def __call__(self, x: mx.array, speaker: mx.array) -> mx.array:
        """x [1, t, c] and the speaker [1, 1, g] → logarithms of frames [t]."""
        tensors = self._tensors
        x = x + tensors.conv("cond", speaker)
        for number in (1, 2):
            x = tensors.norm(f"norm_{number}", mx.maximum(same_conv(tensors, f"conv_{number}", x), 0))
        return tensors.conv("proj", x)[0, :, 0]


class DrawnDurations:
    """Logarithms of durations that follow noise: a flow of splines, turned around."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._flows = tuple(range(2 * tensors.count("flows") - 1, 2, -2))
        """The flow's splines from the last on, without the first, as the checkpoints were published for."""

    def __call__(self, x: mx.array, speaker: mx.array, noise: mx.array) -> mx.array:
        """x [1, t, c], the speaker [1, 1, g] and noise [1, t, 2] → logarithms of frames [t]."""
        tensors = self._tensors
        x = tensors.conv("pre", x) + tensors.conv("cond", speaker)
        x = tensors.conv("proj", _separable(tensors.under("convs"), x))
        z = noise
        for number in self._flows:
            z = _unbent(tensors.under(f"flows.{number}"), z[..., ::-1], x)
        z = z[..., ::-1]
        return ((z - tensors["flows.0.m"].reshape(-1)) * mx.exp(-tensors["flows.0.logs"].reshape(-1)))[0, :, 0]


def _separable(tensors: Tensors, x: mx.array) -> mx.array:
    """Convolutions of each channel by itself, ever wider, with layers across the channels between them."""
    for number in range(tensors.count("convs_sep")):
        weight = tensors[f"convs_sep.{number}.weight"]
        dilation = weight.shape[1] ** number
        reach = (weight.shape[1] - 1) * dilation
        y = tensors.conv(f"convs_sep.{number}", x, padding=reach // 2, dilation=dilation, groups=weight.shape[0])
        y = gelu(tensors.norm(f"norms_1.{number}", y))
        x = x + gelu(tensors.norm(f"norms_2.{number}", tensors.conv(f"convs_1x1.{number}", y)))
    return x


def _unbent(tensors: Tensors, z: mx.array, x: mx.array) -> mx.array:
    """z [1, t, 2]: the second number before the spline that the first and x [1, t, c] tell."""
    inner = _separable(tensors.under("convs"), tensors.conv("pre", z[..., :1]) + x)
    told = tensors.conv("proj", inner)
    bins = (told.shape[-1] + 1) // 3
    scale = 1 / math.sqrt(inner.shape[-1])
    second = unspline(z[..., 1], told[..., :bins] * scale, told[..., bins : 2 * bins] * scale, told[..., 2 * bins :])
    return mx.stack([z[..., 0], second], axis=-1)


def unspline(y: mx.array, widths: mx.array, heights: mx.array, slopes: mx.array) -> mx.array:
    """The inverse of a monotonic spline of fractions of squares; it is the identity outside of its bound.

    y [...]; before their normalisation, widths and heights of its bins [..., n], and the slopes between them
    [..., n - 1].
    """
    left, width = _bins(widths)
    low, height = _bins(heights)
    one = mx.ones((*slopes.shape[:-1], 1))
    slope = mx.concatenate([one, LEAST + mx.logaddexp(slopes, 0.0), one], axis=-1)
    inside = mx.clip(y, -BOUND, BOUND)
    place = mx.sum(inside[..., None] >= low, axis=-1, keepdims=True) - 1

    def there(values: mx.array) -> mx.array:
        return mx.take_along_axis(values, place, axis=-1)[..., 0]

    left, width, low, height = there(left), there(width), there(low), there(height)
    before, after, mean = there(slope[..., :-1]), there(slope[..., 1:]), height / width
    rise, bend = inside - low, before + after - 2 * mean
    a = rise * bend + height * (mean - before)
    b = height * before - rise * bend
    c = -mean * rise
    root = 2 * c / (-b - mx.sqrt(mx.maximum(b * b - 4 * a * c, 0)))
    return mx.where(mx.abs(y) <= BOUND, root * width + left, y)


def _bins(values: mx.array) -> tuple[mx.array, mx.array]:
    """The lower edges and the sizes of bins, [..., n] each."""
    shares = LEAST + (1 - LEAST * values.shape[-1]) * mx.softmax(values, axis=-1)
    ends = 2 * BOUND * mx.cumsum(shares, axis=-1)[..., :-1] - BOUND
    edge = mx.full((*values.shape[:-1], 1), BOUND)
    edges = mx.concatenate([-edge, ends, edge], axis=-1)
    return edges[..., :-1], edges[..., 1:] - edges[..., :-1]
