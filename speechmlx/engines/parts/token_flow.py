"""Speech tokens → a mel spectrogram, by flow matching: the way from tokens to sound in CosyVoice 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.causal_estimator import CausalEstimator
from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.diffusion_transformer import DiffusionTransformer
from speechmlx.engines.parts.look_ahead import AHEAD, LookAheadEncoder
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.torch_random import normal
from speechmlx.engines.parts.upsample_encoder import UpsampleEncoder

BANDS = 80
FRAMES = 2
"""Frames of a token."""
CHUNK = 25
"""Tokens of a chunk, as the network was trained."""
PASS = 4 * CHUNK
"""Tokens that pass through a network at once, at most; the estimator takes several steps for them."""
STEPS = 10
TIMES = 1 - np.cos(np.linspace(0, 1, STEPS + 1) * np.pi / 2)
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

    def __init__(self, tensors: Tensors, encoder: Encoder, estimator: Estimator, pace: LayerPace) -> None:
        self._tensors, self._encoder, self._estimator, self._pace = tensors, encoder, estimator, pace
        self.noise = mx.array(normal(NOISE_SEED, BANDS * LONGEST).reshape(BANDS, LONGEST).T)
        """[LONGEST, BANDS]"""
        self.token_bytes = 4 * 2 * STEPS * FRAMES * estimator.remembered
        """Bytes of keys and values of one token: in all steps, with conditions and without."""

    def spectrogram(
        self, prompt: FlowPrompt, tokens: Sequence[int], is_last: bool = True, chunked: bool = True
    ) -> Generator[None, None, mx.array]:
        """Returns the mel spectrogram of `tokens` [FRAMES * n, BANDS], computed in bounded steps.

        Where more tokens follow (`is_last` is False), the last AHEAD ones only tell how those before them go on.
        """
        return (yield from FlowStream(self, prompt, 0, chunked).push(tokens, is_last))

    def conditions(
        self,
        prompt: FlowPrompt,
        tokens: Sequence[int],
        chunked: bool,
        first: int,
        end: int,
        past: ChunkPast | None = None,
    ) -> mx.array:
        """What the frames of the tokens [first, end) are like [1, t, 3 * BANDS]; `tokens`: the prompt's and all others.

        `past`: of the encoder, of the tokens before `first`.
        """
        tensors = self._tensors
        embedded = tensors["input_embedding.weight"][mx.array(list(tokens[first : end + AHEAD]))][None]
        count = end - first
        ahead = embedded[:, count:] if embedded.shape[1] > count else None
        features = self._encoder(embedded[:, :count], ahead, chunked, past)
        content = tensors.linear("encoder_proj", features) if "encoder_proj.weight" in tensors else features
        direction = prompt.speaker / max(float(np.linalg.norm(prompt.speaker)), 1e-12)
        speaker = tensors.linear("spk_embed_affine_layer", mx.array(direction.astype(np.float32)))
        known = np.zeros((1, FRAMES * count, BANDS), np.float32)
        if prompt.mel is not None:
            given = prompt.mel[FRAMES * first : FRAMES * end]
            known[0, : len(given)] = given
        wide = mx.broadcast_to(speaker, known.shape)
        return mx.concatenate([content, wide, mx.array(known)], axis=-1)

    def direction(
        self, x: mx.array, conditions: mx.array, time: float, chunked: bool = True, past: ChunkPast | None = None
    ) -> Generator[None, None, mx.array]:
        """Of x [1, t, BANDS]: with the conditions and without, in one batch, in bounded steps.

        `past`: of the frames before.
        """
        both = mx.concatenate([conditions, mx.zeros_like(conditions)])
        x = mx.concatenate([mx.concatenate([x, x]), both], axis=-1)
        layers = self._estimator.layers(mx.full((2,), time), chunked, past)
        found = yield from self._pace.run(layers, x, "estimator")
        return (1 + GUIDANCE) * found[:1] - GUIDANCE * found[1:]


Network = Callable[[int, int, ChunkPast], Generator[None, None, mx.array]]
"""The tokens [first, end), and what is kept of those before → [1, t, c], in bounded steps."""


class FlowStream:
    """The spectrogram of one voice and of tokens that are still coming: in pieces it is that of the whole.

    What the networks know of the chunks before is kept for each step, so that a piece costs its own tokens alone. That
    is up to `most` bytes of keys and values, from the beginning on; what comes after them is computed with each piece.
    """

    def __init__(self, flow: TokenFlow, prompt: FlowPrompt, most: int, chunked: bool = True) -> None:
        self._flow, self._prompt, self._chunked = flow, prompt, chunked
        self._most = most // flow.token_bytes if chunked else 0
        self._kept, self._given = 0, len(prompt.tokens)
        """Tokens, with those of the prompt."""
        self._encoded: list[mx.array] = []
        self._steps: list[list[mx.array]] = [[] for _ in range(STEPS)]

    def push(self, tokens: Sequence[int], is_last: bool) -> Generator[None, None, mx.array]:
        """`tokens`: all that are there, of which the last AHEAD ones only tell how those before go on, or `is_last`.

        Returns the frames [FRAMES * n, BANDS] of those that were not there before.
        """
        every = (*self._prompt.tokens, *tokens)
        first, end = self._kept, len(every) - (0 if is_last else AHEAD)
        keep = first if is_last else max(first, min(end, self._most) // CHUNK * CHUNK)
        cuts = sorted({first, keep, end, *(range(first, end, PASS) if self._chunked else ())})
        encode = partial(self._conditions, every)
        conditions, self._encoded = yield from _passes(encode, self._encoded, 1, cuts, keep)
        x = self._flow.noise[None, FRAMES * first : FRAMES * end]
        for step, (time, after) in enumerate(pairwise(TIMES)):
            network = partial(self._direction, x, conditions, float(time), first)
            found, self._steps[step] = yield from _passes(network, self._steps[step], FRAMES, cuts, keep)
            x = x + float(after - time) * found
        frames = x[0, FRAMES * (self._given - first) :]
        self._kept, self._given = keep, end
        return frames

    def _conditions(
        self, every: Sequence[int], first: int, end: int, past: ChunkPast
    ) -> Generator[None, None, mx.array]:
        """Of the tokens [first, end), in one step: the encoder is small."""
        found = self._flow.conditions(self._prompt, every, self._chunked, first, end, past)
        mx.eval(found)
        yield
        return found

    def _direction(
        self, x: mx.array, conditions: mx.array, time: float, start: int, first: int, end: int, past: ChunkPast
    ) -> Generator[None, None, mx.array]:
        """Of the tokens [first, end); `x` and `conditions` begin with the token `start`."""
        part = slice(FRAMES * (first - start), FRAMES * (end - start))
        return (yield from self._flow.direction(x[:, part], conditions[:, part], time, self._chunked, past))


def _passes(
    network: Network, kept: list[mx.array], rate: int, cuts: Sequence[int], keep: int
) -> Generator[None, None, tuple[mx.array, list[mx.array]]]:
    """Apply `network`, which has `rate` frames for a token, to the tokens between the `cuts`, a pass for each part.

    `kept`: of the tokens before. Returns what it gives for all, and what is to be kept of those before `keep`.
    """
    found, before = [], kept
    for first, end in pairwise(cuts):
        past = ChunkPast(before, rate * first)
        found.append((yield from network(first, end, past)))
        before = past.after
        mx.eval(found[-1], before if end == keep or end < cuts[-1] else [])
        kept = before if end == keep else kept
    return mx.concatenate(found, axis=1), kept


def second_flow(tensors: Tensors, encoder_heads: int, estimator_heads: int, pace: LayerPace) -> TokenFlow:
    """That of CosyVoice 2."""
    encoder = UpsampleEncoder(tensors.under("encoder"), encoder_heads, CHUNK)
    estimator = CausalEstimator(tensors.under("decoder.estimator"), estimator_heads, FRAMES * CHUNK)
    return TokenFlow(tensors, encoder, estimator, pace)


def third_flow(tensors: Tensors, heads: int, pace: LayerPace) -> TokenFlow:
    """That of CosyVoice 3."""
    estimator = DiffusionTransformer(tensors.under("decoder.estimator"), heads, FRAMES * CHUNK)
    return TokenFlow(tensors, LookAheadEncoder(tensors.under("pre_lookahead_layer")), estimator, pace)
