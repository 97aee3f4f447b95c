"""The S3 speech tokenizer, versions 2 and 3: a recording → 25 tokens a second that tell what is said and how."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.mel_bands import WHISPER_RATE, whisper_mel
from speechmlx.engines.parts.tensors import Tensors, gelu

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = WHISPER_RATE
BANDS = 128
HEAD = 64
"""Width of a head, all of which turns with the place."""
LEVELS = 3
BOUND = 0.9990000128746033
"""Of the values before they are rounded to a level."""
TOGETHER = 2
"""Blocks computed in a step."""


class S3Tokenizer:
    """The network, in float32. It keeps nothing between two recordings."""

    def __init__(self, tensors: Tensors, epsilon: float) -> None:
        """`epsilon`: of the normalisation before an attention; 1e-6 in version 2, 1e-5 in version 3."""
        self._tensors, self._epsilon = tensors, epsilon

    def tokens(self, samples: Samples) -> Generator[None, None, tuple[int, ...]]:
        """samples [n] at RATE Hz → tokens, n / RATE * 25 of them rounded up, in bounded steps."""
        return (yield from self.of_mel(mx.array(whisper_mel(samples, BANDS))))

    def of_mel(self, mel: mx.array) -> Generator[None, None, tuple[int, ...]]:
        """mel [t, BANDS] → ceil(ceil(t / 2) / 2) tokens."""
        tensors = self._tensors.under("encoder")
        x = gelu(tensors.conv("conv1", mel[None], stride=2, padding=1))
        x = gelu(tensors.conv("conv2", x, stride=2, padding=1))
        for number in range(tensors.count("blocks")):
            x = self._block(tensors.under(f"blocks.{number}"), x)
            if number % TOGETHER == TOGETHER - 1:
                mx.eval(x)
                yield
        values = self._tensors.linear("quantizer._codebook.project_down", x)[0]
        digits = np.round(np.array(mx.tanh(values)) * np.float32(BOUND)).astype(np.int64) + 1
        return tuple((digits @ LEVELS ** np.arange(digits.shape[1])).tolist())

    def _block(self, tensors: Tensors, x: mx.array) -> mx.array:
        normal = tensors.norm("attn_ln", x, self._epsilon)
        values = tensors.linear("attn.value", normal)
        heads = values.shape[-1] // HEAD
        queries, keys = (
            mx.fast.rope(
                in_heads(tensors.linear(f"attn.{name}", normal), heads),
                HEAD,
                traditional=False,
                base=10_000.0,
                scale=1.0,
                offset=0,
            )
            for name in ("query", "key")
        )
        heard = tensors.linear("attn.out", joined(attend(queries, keys, in_heads(values, heads))))
        x = x + heard + _remembered(tensors, values)
        inner = gelu(tensors.linear("mlp.0", tensors.norm("mlp_ln", x)))
        return x + tensors.linear("mlp.2", inner)


def _remembered(tensors: Tensors, values: mx.array) -> mx.array:
    """The values with those around them, each channel by its own weights."""
    taps = tensors["attn.fsmn_block.weight"].shape[1]
    return values + tensors.conv("attn.fsmn_block", values, padding=taps // 2, groups=values.shape[-1])
