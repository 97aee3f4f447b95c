"""samples → codes, for a recording whose voice is to be cloned: convolutions, a transformer over a window, codebooks.

All of it is causal, so a recording is encoded in pieces of PIECE frames, each a short step, exactly as it is whole.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.activations import elu, gelu
from speechmlx.engines.parts.causal_conv import CausalConv, Past, first_of
from speechmlx.engines.qwen3_tts.codec.attention import WindowedAttention, WindowMask
from speechmlx.engines.qwen3_tts.codec.shape import AttentionShape, EncoderShape
from speechmlx.errors import BadRequest

if TYPE_CHECKING:
    from speechmlx.types import Samples

Weights = Mapping[str, mx.array]
Codes = NDArray[np.int32]

PIECE = 25
"""Frames that one step encodes: 2 seconds."""


class CodecEncoder:
    """The encoder; `weights` are those of `checkpoint.codec_weights`. They should be float32: codes are distances."""

    def __init__(self, weights: Weights, shape: EncoderShape, codebooks: int) -> None:
        self.frame = shape.frame
        """Samples of a frame, at 24 kHz."""
        self._entry = CausalConv(weights["entry.weight"], weights["entry.bias"])
        self._blocks = [_Block(weights, str(step), stride) for step, stride in enumerate(shape.strides)]
        self._exit = CausalConv(weights["exit.weight"], weights["exit.bias"])
        self._mask = WindowMask(shape.sliding_window)
        self._layers = [
            _Layer(weights, f"transformer.{layer}", shape.attention) for layer in range(shape.num_hidden_layers)
        ]
        self._halving = CausalConv(weights["halving.weight"], stride=2, repeated=True)
        self._inward = [weights[f"quantizer.{place}"].T for place in ("semantic", "acoustic")]
        self._codebooks = [
            (weights[f"quantizer.{number}.table"], weights[f"quantizer.{number}.squares"])
            for number in range(codebooks)
        ]

    def pieces(self, samples: Samples, frames: int = PIECE) -> Generator[None, None, Codes]:
        """Encode `samples` [n] of 24 kHz, `frames` frames in a step, and return the codes [codebooks, F].

        F is n / `frame`, rounded up. Raises BadRequest for a recording without samples, and NotFinite.
        """
        if not len(samples):
            raise BadRequest("the recording to clone is empty")
        arrays = self._first()
        found = []
        for start in range(0, len(samples), frames * self.frame):
            past = Past(arrays)
            piece = mx.array(samples[start : start + frames * self.frame], mx.float32)
            hidden = self._hidden(piece[None, :, None], past)[0]
            codes, is_finite, arrays = self._quantized(hidden), mx.isfinite(hidden).all(), past.after
            mx.eval(codes, is_finite, arrays)
            if not is_finite.item():  # the nearest to no number is a code, too
                raise NotFinite("the codec's encoder")
            found.append(np.array(codes, np.int32))
            yield
        return np.concatenate(found, axis=1)

    def _first(self) -> list[mx.array]:
        return first_of((self._entry, *self._blocks, self._exit, self._mask, *self._layers, self._halving), 1)

    def _hidden(self, x: mx.array, past: Past) -> mx.array:
        """Samples [1, n, 1] → [1, F, width]."""
        x = self._entry(x, past)
        for block in self._blocks:
            x = block(x, past)
        x = self._exit(elu(x), past)
        mask = self._mask(x.shape[1], past)
        for layer in self._layers:
            x = layer(x, mask, past)
        return self._halving(x, past)

    def _quantized(self, x: mx.array) -> mx.array:
        """[F, width] → codes [codebooks, F]: in each codebook the nearest to what those before it left over."""
        codes = []
        left = x @ self._inward[0]
        for number, (table, squares) in enumerate(self._codebooks):
            if number == 1:
                left = x @ self._inward[1]
            nearest = mx.argmin(mx.addmm(squares, left, table.T, alpha=-2.0), axis=1)
            codes.append(nearest)
            left = left - table[nearest]
        return mx.stack(codes)


class _Block:
    """A residual block, then a convolution that divides the rate by `stride`."""

    def __init__(self, weights: Weights, name: str, stride: int) -> None:
        self._wide, self._narrow = (_conv(weights, f"{name}.residual{part}") for part in (1, 3))
        self._down = _conv(weights, f"{name}.down", stride)

    def first(self, rows: int) -> list[mx.array]:
        return first_of((self._wide, self._narrow, self._down), rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        x = x + self._narrow(elu(self._wide(elu(x), past)), past)
        return self._down(elu(x), past)


class _Layer:
    def __init__(self, weights: Weights, name: str, shape: AttentionShape) -> None:
        self._attention = WindowedAttention(weights, f"{name}.attention", shape)
        self.first = self._attention.first
        self._norms = [
            (weights[f"{name}.{part}_norm.weight"], weights[f"{name}.{part}_norm.bias"])
            for part in ("attention", "feed")
        ]
        self._epsilon = shape.epsilon
        self._inward, self._outward = weights[f"{name}.feed.inward"].T, weights[f"{name}.feed.outward"].T

    def __call__(self, x: mx.array, mask: mx.array, past: Past) -> mx.array:
        x = x + self._attention(mx.fast.layer_norm(x, *self._norms[0], self._epsilon), mask, past)
        fed = mx.fast.layer_norm(x, *self._norms[1], self._epsilon) @ self._inward
        return x + gelu(fed) @ self._outward


def _conv(weights: Weights, name: str, stride: int = 1) -> CausalConv:
    return CausalConv(weights[f"{name}.weight"], weights[f"{name}.bias"], stride=stride)
