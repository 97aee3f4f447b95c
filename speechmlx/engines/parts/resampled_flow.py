"""Speech tokens at 50 Hz → a mel spectrogram of any rate, by flow matching: CosyVoice 1's way from tokens to sound."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import pairwise

import mlx.core as mx
import numpy as np

from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.relative_encoder import embedded, encoder_layers
from speechmlx.engines.parts.tensors import Tensors, mish
from speechmlx.engines.parts.token_flow import BANDS, GUIDANCE, STEPS, FlowPrompt
from speechmlx.engines.parts.torch_random import normal
from speechmlx.engines.parts.unet_estimator import UNetEstimator

TOKEN_RATE = 50
"""Tokens of a second."""
RATE, HOP = 22_050, 256
"""Of the spectrogram: samples of a second, and of a frame."""
END = 20
"""Tokens at the beginning and at the end of a long text that are resampled by themselves."""


def frames_of(tokens: int) -> int:
    """Number of frames of so many tokens."""
    return int(tokens / TOKEN_RATE * RATE / HOP)


class ResampledFlow:
    """The networks. Every frame sees all, so the spectrogram of more tokens does not begin with that of fewer."""

    def __init__(self, tensors: Tensors, encoder_heads: int, estimator_heads: int, pace: LayerPace) -> None:
        self._tensors, self._heads, self._pace = tensors, encoder_heads, pace
        self._estimator = UNetEstimator(tensors.under("decoder.estimator"), estimator_heads)

    def spectrogram(self, prompt: FlowPrompt, tokens: Sequence[int], seed: int) -> Generator[None, None, mx.array]:
        """Returns the mel spectrogram of `tokens` [frames_of(n), BANDS], n > 2, in bounded steps.

        The prompt may have any number of frames. `seed`: of the noise that it begins with.
        """
        conditions, before = yield from self.conditions(prompt, tokens)
        mx.eval(conditions)
        yield
        count = conditions.shape[1]
        x = mx.array(normal(seed, BANDS * count).reshape(BANDS, count).T)[None]
        times = 1 - np.cos(np.linspace(0, 1, STEPS + 1) * np.pi / 2)
        for time, after in pairwise(times):
            direction = yield from self.direction(x, conditions, float(time))
            x = x + float(after - time) * direction
            mx.eval(x)
        return x[0, before:]

    def conditions(self, prompt: FlowPrompt, tokens: Sequence[int]) -> Generator[None, None, tuple[mx.array, int]]:
        """What the spectrogram is like [1, t, 3 * BANDS], and how many of its frames are the prompt's."""
        tensors, before = self._tensors, 0 if prompt.mel is None else len(prompt.mel)
        x = tensors["input_embedding.weight"][mx.array([*prompt.tokens, *tokens])][None]
        encoder = tensors.under("encoder")
        layers = encoder_layers(encoder, "encoders", self._heads)
        x = yield from self._pace.run(layers, embedded(encoder, "embed", x), "encoder")
        x = tensors.linear("encoder_proj", encoder.norm("after_norm", x))
        content = self._resampled(x[0], len(prompt.tokens), before)
        count = content.shape[1]
        direction = prompt.speaker / max(float(np.linalg.norm(prompt.speaker)), 1e-12)
        speaker = tensors.linear("spk_embed_affine_layer", mx.array(direction.astype(np.float32)))
        known = np.zeros((1, count, BANDS), np.float32)
        if prompt.mel is not None:
            known[0, :before] = prompt.mel
        wide = mx.broadcast_to(speaker, (1, count, BANDS))
        return mx.concatenate([content, wide, mx.array(known)], axis=-1), before

    def _resampled(self, x: mx.array, said: int, before: int) -> mx.array:
        """Tokens [n, BANDS], of which the first `said` come to `before` frames → frames [1, t, BANDS]."""
        tensors, spoken = self._tensors.under("length_regulator"), x[said:]
        frames, end = frames_of(len(spoken)), frames_of(END)
        parts = [(x[:said], before)] if said else []
        if len(spoken) > 2 * END:
            parts += [(spoken[:END], end), (spoken[END:-END], frames - 2 * end), (spoken[-END:], end)]
        else:
            parts.append((spoken, frames))
        y = mx.concatenate([_interpolated(part, count) for part, count in parts])[None]
        last = tensors.count("model") // 2 * 3  # each convolution but the last has a normalisation and Mish after it
        for number in range(0, last, 3):
            y = tensors.conv(f"model.{number}", y, padding=1)
            y = mish(tensors.group_norm(f"model.{number + 1}", y, groups=1))
        return tensors.conv(f"model.{last}", y)

    def direction(self, x: mx.array, conditions: mx.array, time: float) -> Generator[None, None, mx.array]:
        """Of x [1, t, BANDS]: with the conditions and without, in one batch."""
        both = mx.concatenate([conditions, mx.zeros_like(conditions)])
        x = mx.concatenate([mx.concatenate([x, x]), both], axis=-1)
        found = yield from self._estimator.steps(x, mx.full((2,), time), self._pace)
        return (1 + GUIDANCE) * found[:1] - GUIDANCE * found[1:]


def _interpolated(x: mx.array, count: int) -> mx.array:
    """[n, c] → [count, c]: between the two nearest, where the middles of n and of `count` equal parts lie."""
    places = np.maximum((np.arange(count) + 0.5) * (len(x) / count) - 0.5, 0)
    first = np.minimum(places.astype(int), len(x) - 1)
    share = mx.array((places - first)[:, None].astype(np.float32))
    return x[mx.array(first)] * (1 - share) + x[mx.array(np.minimum(first + 1, len(x) - 1))] * share
