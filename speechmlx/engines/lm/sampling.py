"""The next token from logits: greedy, or drawn with temperature, top-p, a repetition penalty and a seed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from speechmlx.errors import BadRequest

NOT_FINITE = -1
"""In the place of a token that could not be chosen."""


@dataclass(eq=False)
class Sampler:
    """How one sequence draws its tokens. It has its own random state, so the batch it is in changes nothing."""

    temperature: float
    top_p: float
    repetition_penalty: float
    key: mx.array = field(repr=False)
    _seen: mx.array | None = field(default=None, repr=False)
    """Which tokens were seen [vocabulary]. On the device, as the last token may not have been read yet."""

    @property
    def is_greedy(self) -> bool:
        """Whether it always takes the likeliest token."""
        return self.temperature == 0 and self.repetition_penalty == 1

    def sample(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        """logits [vocabulary] after `tokens` (prompt and answer) → the next token, a scalar.

        `tokens` count in the first call; the sampler knows what it has drawn since.
        """
        if self.repetition_penalty == 1:
            return self._draw(logits)
        if self._seen is None:
            seen = np.zeros(len(logits), np.bool_)
            seen[list(tokens)] = True
            self._seen = mx.array(seen)
        penalty = self.repetition_penalty
        lowered = mx.where(logits > 0, logits / penalty, logits * penalty)
        token = self._draw(mx.where(self._seen, lowered, logits))
        self._seen = self._seen | (mx.arange(len(logits)) == token)
        return token

    def _draw(self, logits: mx.array) -> mx.array:
        if self.temperature == 0:
            return mx.argmax(logits)
        self.key, key = mx.random.split(self.key)
        logits = logits / self.temperature
        if self.top_p == 1:
            return mx.random.categorical(logits, key=key)
        order = mx.argsort(-logits)
        ordered = logits[order]
        before = mx.cumsum(mx.softmax(ordered)) - mx.softmax(ordered)
        return order[mx.random.categorical(mx.where(before < self.top_p, ordered, -mx.inf), key=key)]


def new_sampler(temperature: float, top_p: float, repetition_penalty: float | None, seed: int | None) -> Sampler:
    """Without a seed each sampler draws differently. Raises BadRequest for settings outside the allowed ranges."""
    penalty = 1.0 if repetition_penalty is None else repetition_penalty
    if not 0 <= temperature <= 5:
        raise BadRequest(f"temperature is {temperature:g}; allowed is 0 to 5")
    if not 0 < top_p <= 1:
        raise BadRequest(f"top_p is {top_p:g}; allowed is above 0 and up to 1")
    if not 0 < penalty <= 10:
        raise BadRequest(f"repetition_penalty is {penalty:g}; allowed is above 0 and up to 10")
    seed = int.from_bytes(os.urandom(8)) if seed is None else seed & 0xFFFFFFFFFFFFFFFF
    return Sampler(temperature, top_p, penalty, mx.random.key(seed))


def sample(logits: mx.array, samplers: Sequence[Sampler], tokens: Sequence[Sequence[int]]) -> mx.array:
    """logits [b, vocabulary] after `tokens` of each row → the next token of each row, int32 [b].

    It is NOT_FINITE where the logits of a row hold NaN or infinity: so the read of the token tells.
    """
    if all(sampler.is_greedy for sampler in samplers):
        chosen = mx.argmax(logits, axis=-1)
    else:
        rows = zip(logits, samplers, tokens, strict=True)
        chosen = mx.stack([sampler.sample(row, seen) for row, sampler, seen in rows])
    # Minus infinity is allowed: models hide tokens with it.
    return mx.where(mx.all(logits < mx.inf, axis=-1), chosen.astype(mx.int32), NOT_FINITE)
