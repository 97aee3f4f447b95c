"""ECAPA-TDNN: band levels of windows of speech → an embedding of each voice."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

BLOCKS = (1, 2, 3)
"""The squeeze-excitation Res2 blocks; a block's number plus 1 is its dilation."""
SCALE = 8
"""Groups of channels in a Res2 block."""
EPSILON = 1e-12


class SpeakerEncoder:
    """The network. All tensors are [window, frame, channel]."""

    def __init__(self, weights: Mapping[str, mx.array]) -> None:
        self._weights = weights

    def __call__(self, levels: mx.array) -> mx.array:
        """Levels [w, t, BANDS] → embeddings [w, 192] of length 1. t is at least 5."""
        x = self._layer(levels, "blocks.0", 1)
        outputs = []
        for block in BLOCKS:
            x = self._block(x, f"blocks.{block}", block + 1)
            outputs.append(x)
        x = self._layer(mx.concatenate(outputs, axis=-1), "mfa")
        embedding = self._linear(self._pool(x), "fc")
        return embedding / mx.linalg.norm(embedding, axis=-1, keepdims=True)

    def _block(self, x: mx.array, name: str, dilation: int) -> mx.array:
        parts = mx.split(self._layer(x, f"{name}.tdnn1"), SCALE, axis=-1)
        done = [parts[0]]
        for i, part in enumerate(parts[1:]):
            done.append(self._layer(part + done[-1] if i else part, f"{name}.res2net_block.blocks.{i}", dilation))
        y = self._layer(mx.concatenate(done, axis=-1), f"{name}.tdnn2")
        squeezed = mx.maximum(self._linear(mx.mean(y, axis=1, keepdims=True), f"{name}.se_block.conv1"), 0)
        return x + y * mx.sigmoid(self._linear(squeezed, f"{name}.se_block.conv2"))

    def _pool(self, x: mx.array) -> mx.array:
        """[w, t, c] → [w, 2c]: mean and deviation of each channel, weighted by attention to the frames."""
        mean, deviation = _statistics(x, 1 / x.shape[1])
        context = mx.broadcast_to(mx.concatenate([mean, deviation], axis=-1)[:, None], (*x.shape[:2], 2 * x.shape[2]))
        attention = mx.tanh(self._layer(mx.concatenate([x, context], axis=-1), "asp.tdnn"))
        return mx.concatenate(list(_statistics(x, mx.softmax(self._linear(attention, "asp.conv"), axis=1))), axis=-1)

    def _layer(self, x: mx.array, name: str, dilation: int = 1) -> mx.array:
        """Convolution, ReLU, normalisation."""
        taps = self._weights[f"{name}.conv.weight"].shape[1] // x.shape[2]
        y = mx.maximum(self._linear(_gathered(x, taps, dilation), f"{name}.conv"), 0)
        return y * self._weights[f"{name}.norm.scale"] + self._weights[f"{name}.norm.shift"]

    def _linear(self, x: mx.array, name: str) -> mx.array:
        return mx.addmm(self._weights[f"{name}.bias"], x, self._weights[f"{name}.weight"].T)


def _gathered(x: mx.array, taps: int, dilation: int) -> mx.array:
    """[w, t, c] → [w, t, taps * c]: what a convolution reads at each frame; the ends are mirrored."""
    if taps == 1:
        return x
    frames, reach = x.shape[1], dilation * (taps // 2)
    padded = mx.concatenate([x[:, reach:0:-1], x, x[:, -2 : -2 - reach : -1]], axis=1)
    return mx.concatenate([padded[:, tap * dilation : tap * dilation + frames] for tap in range(taps)], axis=-1)


def _statistics(x: mx.array, weights: mx.array | float) -> tuple[mx.array, mx.array]:
    """Mean and standard deviation [w, c] of frames [w, t, c] with `weights` that sum to 1 over the frames."""
    mean = mx.sum(x * weights, axis=1)
    variance = mx.sum(mx.square(x - mean[:, None]) * weights, axis=1)
    return mean, mx.sqrt(mx.maximum(variance, EPSILON))
