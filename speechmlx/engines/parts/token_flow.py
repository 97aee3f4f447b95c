"""Speech tokens → a mel spectrogram, by flow matching: the way from tokens to sound in CosyVoice 2 and 3."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.causal_estimator import CausalEstimator
from speechmlx.engines.parts.diffusion_transformer import DiffusionTransformer
from speechmlx.engines.parts.look_ahead import AHEAD, LookAheadEncoder
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.torch_random import normal
from speechmlx.engines.parts.upsample_encoder import UpsampleEncoder

BANDS = 80
FRAMES = 2
"""Frames of a token."""
CHUNK = 25
"""Tokens of a chunk, as the network was trained."""
STEPS = 10
GUIDANCE = 0.7
"""How much further than the conditions ask the direction goes, away from what it is without them."""
LONGEST = 15_000
"""Frames of the noise that each spectrogram begins with."""
NOISE_SEED = 0


@dataclass(frozen=True)
class FlowPrompt:
    """The voice of a spectrogram: a speaker, and a recording that it goes on from."""

    speaker: NDArray[np.float32]
    """Embedding of the speaker [192], of any length."""
    tokens: tuple[int, ...] = ()
    mel: NDArray[np.float32] | None = None
    """Of the tokens [FRAMES * tokens, BANDS], in CosyVoice 1 of another number of frames; None where there are none."""


Encoder = UpsampleEncoder | LookAheadEncoder
Estimator = CausalEstimator | DiffusionTransformer


class TokenFlow:
    """The networks, and the noise with which the model was published. It keeps nothing between two spectrograms.

    With `chunked`, a frame sees its own chunk of CHUNK tokens and those before it: the spectrogram of more tokens
    begins with that of fewer, where those fill their chunks.
    """

    def __init__(self, tensors: Tensors, encoder: Encoder, estimator: Estimator) -> None:
        self._tensors, self._encoder, self._estimator = tensors, encoder, estimator
        self._noise = mx.array(normal(NOISE_SEED, BANDS * LONGEST).reshape(BANDS, LONGEST).T)

    def spectrogram(
        self, prompt: FlowPrompt, tokens: Sequence[int], is_last: bool = True, chunked: bool = True
    ) -> Generator[None, None, mx.array]:
        """Returns the mel spectrogram of `tokens` [FRAMES * n, BANDS], after steps of work that are STEPS + 1.

        Where more tokens follow (`is_last` is False), the last AHEAD ones only tell how those before them go on.
        """
        conditions, before = self.conditions(prompt, tokens, is_last, chunked)
        mx.eval(conditions)
        yield
        x = self._noise[None, : conditions.shape[1]]
        times = 1 - np.cos(np.linspace(0, 1, STEPS + 1) * np.pi / 2)
        for time, after in pairwise(times):
            x = x + float(after - time) * self.direction(x, conditions, float(time), chunked)
            mx.eval(x)
            yield
        return x[0, before:]

    def conditions(
        self, prompt: FlowPrompt, tokens: Sequence[int], is_last: bool, chunked: bool
    ) -> tuple[mx.array, int]:
        """What the spectrogram is like [1, t, 3 * BANDS], and how many of its frames are the prompt's."""
        tensors = self._tensors
        embedded = tensors["input_embedding.weight"][mx.array([*prompt.tokens, *tokens])][None]
        ahead = None if is_last else embedded[:, -AHEAD:]
        features = self._encoder(embedded if is_last else embedded[:, :-AHEAD], ahead, chunked)
        content = tensors.linear("encoder_proj", features) if "encoder_proj.weight" in tensors else features
        count, before = content.shape[1], FRAMES * len(prompt.tokens)
        direction = prompt.speaker / max(float(np.linalg.norm(prompt.speaker)), 1e-12)
        speaker = tensors.linear("spk_embed_affine_layer", mx.array(direction.astype(np.float32)))
        known = np.zeros((1, count, BANDS), np.float32)
        if prompt.mel is not None:
            known[0, :before] = prompt.mel
        wide = mx.broadcast_to(speaker, (1, count, BANDS))
        return mx.concatenate([content, wide, mx.array(known)], axis=-1), before

    def direction(self, x: mx.array, conditions: mx.array, time: float, chunked: bool) -> mx.array:
        """Of x [1, t, BANDS]: with the conditions and without, in one batch."""
        both = mx.concatenate([conditions, mx.zeros_like(conditions)])
        x = mx.concatenate([mx.concatenate([x, x]), both], axis=-1)
        found = self._estimator(x, mx.full((2,), time), chunked)
        return (1 + GUIDANCE) * found[:1] - GUIDANCE * found[1:]


def second_flow(tensors: Tensors, encoder_heads: int, estimator_heads: int) -> TokenFlow:
    """That of CosyVoice 2."""
    encoder = UpsampleEncoder(tensors.under("encoder"), encoder_heads, CHUNK)
    estimator = CausalEstimator(tensors.under("decoder.estimator"), estimator_heads, FRAMES * CHUNK)
    return TokenFlow(tensors, encoder, estimator)


def third_flow(tensors: Tensors, heads: int) -> TokenFlow:
    """That of CosyVoice 3."""
    estimator = DiffusionTransformer(tensors.under("decoder.estimator"), heads, FRAMES * CHUNK)
    return TokenFlow(tensors, LookAheadEncoder(tensors.under("pre_lookahead_layer")), estimator)
