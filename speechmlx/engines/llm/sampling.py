"""The next token from logits: greedy, or drawn with temperature, nucleus, repetition penalty and a seed of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from speechmlx.errors import BadRequest
from speechmlx.types import Generate


@dataclass(eq=False)
class Sampler:
    """How one request draws; the random numbers are its own, whoever shares its batch."""

    temperature: float
    top_p: float
    repetition_penalty: float
    key: mx.array = field(repr=False)

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0 and self.repetition_penalty == 1

    def draw(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        """logits [vocabulary] after `tokens`, the prompt's included → the next token, a scalar."""
        if self.repetition_penalty != 1:
            seen = mx.array(sorted(set(tokens)))
            values = logits[seen]
            penalty = self.repetition_penalty
            logits = mx.array(logits)
            logits[seen] = mx.where(values > 0, values / penalty, values * penalty)
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


def sampler(request: Generate) -> Sampler:
    """Raises BadRequest for settings outside what is allowed."""
    penalty = 1.0 if request.repetition_penalty is None else request.repetition_penalty
    if not 0 <= request.temperature <= 5:
        raise BadRequest(f"temperature is {request.temperature:g}; allowed is 0 to 5")
    if not 0 < request.top_p <= 1:
        raise BadRequest(f"top_p is {request.top_p:g}; allowed is above 0 and up to 1")
    if not 0 < penalty <= 10:
        raise BadRequest(f"repetition_penalty is {penalty:g}; allowed is above 0 and up to 10")
    seed = int.from_bytes(os.urandom(8)) if request.seed is None else request.seed & 0xFFFFFFFFFFFFFFFF
    return Sampler(request.temperature, request.top_p, penalty, mx.random.key(seed))


def draw(logits: mx.array, samplers: Sequence[Sampler], tokens: Sequence[Sequence[int]]) -> mx.array:
    """logits [b, vocabulary] → the next token of each [b]."""
    if all(one.is_greedy for one in samplers):
        return mx.argmax(logits, axis=-1)
    rows = zip(logits, samplers, tokens, strict=True)
    return mx.stack([one.draw(row, seen) for row, one, seen in rows])
