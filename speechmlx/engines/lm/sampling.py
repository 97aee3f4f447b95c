"""The next token from logits: greedy, or drawn with temperature, top-p, a repetition penalty and a seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import mlx.core as mx
import numpy as np

from speechmlx.errors import BadRequest

NOT_FINITE = -1
"""In the place of a token that could not be chosen."""


class TokenSampler(Protocol):
    """How one sequence draws its tokens."""

    @property
    def is_greedy(self) -> bool:
        """Whether it always takes the likeliest token."""

    def sample(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        """logits [vocabulary] after `tokens` (prompt and answer) → the next token, a scalar on the device."""


@dataclass(eq=False)
class Sampler:
    """How one sequence draws its tokens. It has its own random state, so the batch it is in changes nothing."""

    temperature: float
    top_p: float
    repetition_penalty: float
    key: mx.array = field(repr=False)
    compiled: bool = False
    """Whether its arithmetic is compiled, once for each vocabulary: 5 to 15 kernels instead of 15 to 33. For a GPU."""
    _seen: mx.array | None = field(default=None, repr=False)
    """Which tokens were seen [vocabulary]. On the device, as the last token may not have been read yet."""

    def __post_init__(self) -> None:
        self._settings = [mx.array(value) for value in (self.temperature, self.top_p, self.repetition_penalty)]

    @property
    def is_greedy(self) -> bool:
        """Whether it always takes the likeliest token."""
        return self.temperature == 0 and self.repetition_penalty == 1

    def sample(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        """logits [vocabulary] after `tokens` (prompt and answer) → the next token, a scalar.

        `tokens` count in the first call; the sampler knows what it has drawn since.
        """
        penalised = self.repetition_penalty != 1
        if self._seen is None:
            seen = np.zeros(len(logits) if penalised else 1, np.bool_)
            seen[list(tokens) if penalised else []] = True
            self._seen = mx.array(seen)
        draw = _drawing(self.temperature > 0, self.top_p < 1, penalised, self.compiled)
        token, self.key, self._seen = draw(logits, self.key, self._seen, *self._settings)
        return token


@cache
def _drawing(
    random: bool, nucleus: bool, penalised: bool, compiled: bool
) -> Callable[..., tuple[mx.array, mx.array, mx.array]]:
    """A function of logits, key, what was seen, temperature, top-p and penalty → the token, next key, seen with it."""

    def draw(
        logits: mx.array, key: mx.array, seen: mx.array, temperature: mx.array, top_p: mx.array, penalty: mx.array
    ) -> tuple[mx.array, mx.array, mx.array]:
        if penalised:
            logits = mx.where(seen, mx.where(logits > 0, logits / penalty, logits * penalty), logits)
        if not random:
            token = mx.argmax(logits)
        else:
            after, key = mx.random.split(key)
            token, key = _draw(logits / temperature, key, top_p if nucleus else None), after
        return token, key, seen | (mx.arange(len(logits)) == token) if penalised else seen

    return mx.compile(draw) if compiled else draw


def _draw(logits: mx.array, key: mx.array, top_p: mx.array | None) -> mx.array:
    """A token [] by the probabilities of `logits`, of the likeliest that come to `top_p` together."""
    if top_p is None:
        return mx.random.categorical(logits, key=key)
    order = mx.argsort(-logits)
    ordered = logits[order]
    before = mx.cumsum(mx.softmax(ordered)) - mx.softmax(ordered)
    return order[mx.random.categorical(mx.where(before < top_p, ordered, -mx.inf), key=key)]


def new_sampler(
    temperature: float, top_p: float, repetition_penalty: float | None, seed: int | None, compiled: bool = False
) -> Sampler:
    """Without a seed each sampler draws differently. Raises BadRequest for settings outside the allowed ranges."""
    penalty = 1.0 if repetition_penalty is None else repetition_penalty
    if not 0 <= temperature <= 5:
        raise BadRequest(f"temperature is {temperature:g}; allowed is 0 to 5")
    if not 0 < top_p <= 1:
        raise BadRequest(f"top_p is {top_p:g}; allowed is above 0 and up to 1")
    if not 0 < penalty <= 10:
        raise BadRequest(f"repetition_penalty is {penalty:g}; allowed is above 0 and up to 10")
    seed = int.from_bytes(os.urandom(8)) if seed is None else seed & 0xFFFFFFFFFFFFFFFF
    return Sampler(temperature, top_p, penalty, mx.random.key(seed), compiled)


def sample(logits: mx.array, samplers: Sequence[TokenSampler], tokens: Sequence[Sequence[int]]) -> mx.array:
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
