"""CAM++: the features of a recording → an embedding of the speaker's voice."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from itertools import count

import mlx.core as mx

from speechmlx.engines.parts.pace import Layer, LayerPace, framed, same
from speechmlx.engines.parts.tensors import Tensors

SEGMENT = 100
"""Frames whose mean the context of a frame is, besides that of all."""
DILATIONS = (1, 2, 2)
"""Of the blocks of dense layers."""


class CamPlus:
    """The network, in float32. A normalisation is a scale and a shift; one that the weights do not name is in them."""

    def __init__(self, tensors: Tensors, pace: LayerPace) -> None:
        self._tensors, self._pace = tensors, pace

    def embedding(self, features: mx.array) -> Generator[None, None, mx.array]:
        """features [t, 80] without their mean over the time, t > 2 → the embedding [192], in bounded steps."""
        x = self._head(features)
        mx.eval(x)
        yield
        tensors = self._tensors.under("xvector")
        taps = tensors["tdnn.linear.weight"].shape[1]
        x = _relu(_normal(tensors, "tdnn.nonlinear", tensors.conv("tdnn.linear", x, stride=2, padding=taps // 2)))
        layers: list[Layer] = []
        for block, dilation in enumerate(DILATIONS, 1):
            named = _numbered(tensors, f"block{block}.tdnnd", ".cam_layer.linear_local.weight")
            dense = [partial(_densely, layer, dilation) for layer in named]
            layers += framed(same, dense, partial(_transit, tensors, block))
        x = yield from self._pace.run(layers, x, "speaker")
        x = _relu(_normal(tensors, "out_nonlinear", x))[0]
        statistics = mx.concatenate([mx.mean(x, axis=0), mx.sqrt(mx.var(x, axis=0, ddof=1))])
        return _normal(tensors, "dense.nonlinear", tensors.conv("dense.linear", statistics[None, None]))[0, 0]

    def _head(self, features: mx.array) -> mx.array:
        """Convolutions over bands and frames: [t, bands] → [1, t, channels * bands / 8]."""
        tensors = self._tensors.under("head")
        x = _relu(_normal(tensors, "bn1", _conv2d(tensors, "conv1", features.T[None, :, :, None], 1)))
        for layer in ("layer1", "layer2"):
            for number in range(tensors.count(layer)):
                x = _residual(tensors.under(f"{layer}.{number}"), x, stride=1 if number else 2)
        x = _relu(_normal(tensors, "bn2", _conv2d(tensors, "conv2", x, 2)))
        return x.transpose(0, 2, 3, 1).reshape(1, x.shape[2], -1)


def _residual(tensors: Tensors, x: mx.array, stride: int) -> mx.array:
    y = _relu(_normal(tensors, "bn1", _conv2d(tensors, "conv1", x, stride)))
    y = _normal(tensors, "bn2", _conv2d(tensors, "conv2", y, 1))
    if "shortcut.0.weight" in tensors:
        x = _normal(tensors, "shortcut.1", _conv2d(tensors, "shortcut.0", x, stride, padding=0))
    return _relu(x + y)


def _densely(tensors: Tensors, dilation: int, x: mx.array) -> mx.array:
    """x [1, t, c] with the channels that a dense layer adds."""
    return mx.concatenate([x, _dense(tensors, x, dilation)], axis=-1)


def _transit(tensors: Tensors, block: int, x: mx.array) -> mx.array:
    """x [1, t, c] → [1, t, c / 2], behind a block."""
    return tensors.conv(f"transit{block}.linear", _relu(_normal(tensors, f"transit{block}.nonlinear", x)))


def _dense(tensors: Tensors, x: mx.array, dilation: int) -> mx.array:
    """x [1, t, c] → what the layer adds to the channels."""
    x = _relu(_normal(tensors, "nonlinear1", x))
    x = _relu(_normal(tensors, "nonlinear2", tensors.conv("linear1", x)))
    cam = tensors.under("cam_layer")
    reach = cam["linear_local.weight"].shape[1] // 2 * dilation
    local = cam.conv("linear_local", x, padding=reach, dilation=dilation)
    context = _relu(cam.conv("linear1", mx.mean(x, axis=1, keepdims=True) + _segments(x)))
    return local * mx.sigmoid(cam.conv("linear2", context))


def _segments(x: mx.array) -> mx.array:
    """[1, t, c] → the mean of the segment that each frame lies in [1, t, c]."""
    frames, channels = x.shape[1:]
    segments = -(-frames // SEGMENT)
    padded = mx.pad(x, [(0, 0), (0, segments * SEGMENT - frames), (0, 0)])
    sizes = mx.minimum(SEGMENT, frames - mx.arange(segments) * SEGMENT)
    means = padded.reshape(1, segments, SEGMENT, channels).sum(axis=2) / sizes[:, None]
    return mx.repeat(means, SEGMENT, axis=1)[:, :frames]


def _numbered(tensors: Tensors, name: str, member: str) -> Generator[Tensors, None, None]:
    """The modules `name`1, `name`2, ... that have `member`."""
    for number in count(1):
        if f"{name}{number}{member}" not in tensors:
            return
        yield tensors.under(f"{name}{number}")


def _conv2d(tensors: Tensors, name: str, x: mx.array, stride: int, padding: int = 1) -> mx.array:
    """x [1, bands, t, in]; the stride is over the bands."""
    y = mx.conv2d(x, tensors[f"{name}.weight"], (stride, 1), padding)
    return y + tensors[f"{name}.bias"] if f"{name}.bias" in tensors else y


def _normal(tensors: Tensors, name: str, x: mx.array) -> mx.array:
    if f"{name}.scale" not in tensors:
        return x
    return x * tensors[f"{name}.scale"] + tensors[f"{name}.shift"]


def _relu(x: mx.array) -> mx.array:
    return mx.maximum(x, 0)
