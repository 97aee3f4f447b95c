"""The S3 speech tokenizer: a recording → tokens that tell what is said and how; 50 a second in version 1, else 25."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.finite import finite
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.mel_bands import WHISPER_RATE, whisper_mel
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors, gelu

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = WHISPER_RATE
BANDS = 128
HEAD = 64
"""Width of a head, all of which turns with the place."""
LEVELS = 3
EPSILON = 1e-5
"""Of the normalisation before an attention in versions 1 and 3."""
BOUND = 0.9990000128746033
"""Of the values before they are rounded to a level."""
STAGE = "the speech tokens of a recording"


class S3Tokenizer:
    """The network of versions 2 and 3, in float32. It keeps nothing between two recordings."""

    def __init__(self, tensors: Tensors, epsilon: float, pace: LayerPace) -> None:
        """`epsilon`: of the normalisation before an attention; 1e-6 in version 2, 1e-5 in version 3."""
        self._tensors, self._epsilon, self._pace = tensors, epsilon, pace

    def tokens(self, samples: Samples) -> Generator[None, None, tuple[int, ...]]:
        """samples [n] at RATE Hz → tokens, n / RATE times those of a second, rounded up, in steps. Raises NotFinite."""
        return (yield from self.of_mel(mx.array(whisper_mel(samples, BANDS))))

    def of_mel(self, mel: mx.array) -> Generator[None, None, tuple[int, ...]]:
        """mel [t, BANDS] → ceil(ceil(t / 2) / 2) tokens, twice as many in version 1."""
        tensors = self._tensors.under("encoder")
        blocks = [partial(self._block, tensors.under(f"blocks.{n}")) for n in range(tensors.count("blocks"))]
        x = yield from self._pace.run(blocks, self._begun(tensors, mel[None]), "tokens")
        return self._nearest(x[0])

    def _begun(self, tensors: Tensors, x: mx.array) -> mx.array:
        """What the blocks begin with."""
        x = gelu(tensors.conv("conv1", x, stride=2, padding=1))
        return gelu(tensors.conv("conv2", x, stride=2, padding=1))

    def _nearest(self, x: mx.array) -> tuple[int, ...]:
        """x [t, c] → the token that each frame is nearest to. Raises NotFinite."""
        values = self._tensors.linear("quantizer._codebook.project_down", x)
        digits = np.round(finite(np.array(mx.tanh(values)), STAGE) * np.float32(BOUND)).astype(np.int64) + 1
        return tuple((digits @ LEVELS ** np.arange(digits.shape[1])).tolist())

    def _block(self, tensors: Tensors, x: mx.array) -> mx.array:
        x = x + self._heard(tensors, tensors.norm("attn_ln", x, self._epsilon))
        inner = gelu(tensors.linear("mlp.0", tensors.norm("mlp_ln", x)))
        return x + tensors.linear("mlp.2", inner)

    def _heard(self, tensors: Tensors, normal: mx.array) -> mx.array:
        """What an attention adds to the frames."""
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
        return heard + _remembered(tensors, values)


def _remembered(tensors: Tensors, values: mx.array) -> mx.array:
    """The values with those around them, each channel by its own weights."""
    taps = tensors["attn.fsmn_block.weight"].shape[1]
    return values + tensors.conv("attn.fsmn_block", values, padding=taps // 2, groups=values.shape[-1])


class FirstS3Tokenizer(S3Tokenizer):
    """The network of version 1: places are added, not turned, and tokens are the nearest rows of a table."""

    def __init__(self, tensors: Tensors, pace: LayerPace) -> None:
        super().__init__(tensors, EPSILON, pace)

    def _begun(self, tensors: Tensors, x: mx.array) -> mx.array:
        x = gelu(tensors.conv("conv1", x, padding=1))
        x = gelu(tensors.conv("conv2", x, stride=2, padding=1))
        return x + mx.array(_places(x.shape[1], x.shape[2]))

    def _nearest(self, x: mx.array) -> tuple[int, ...]:
        x = x / mx.maximum(mx.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
        table = self._tensors["quantizer._codebook.embed"]
        nearness = 2 * x @ table.T - mx.square(table).sum(axis=-1)
        found = mx.argmax(nearness, axis=-1)
        finite(np.array(mx.max(nearness, axis=-1)), STAGE)
        return tuple(np.array(found).tolist())

    def _heard(self, tensors: Tensors, normal: mx.array) -> mx.array:
        heads = normal.shape[-1] // HEAD
        queries, keys, values = (
            in_heads(tensors.linear(f"attn.{name}", normal), heads) for name in ("query", "key", "value")
        )
        return tensors.linear("attn.out", joined(attend(queries, keys, values)))


def _places(count: int, width: int) -> NDArray[np.float32]:
    """What tells the places [count, width]: sines, then cosines, at geometric rates."""
    angles = np.arange(count)[:, None] * np.exp(np.arange(width // 2) * (-np.log(10_000) / (width // 2 - 1)))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
