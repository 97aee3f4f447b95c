"""How speech tokens are drawn: from the likeliest ones, and anew from all where one was said just before."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from speechmlx.engines.cosyvoice.generation import SPEECH_TOKENS

TOP_P, TOP_K = 0.8, 25
WINDOW = 10
"""Tokens in which none may come twice by the first draw."""


class RepetitionAwareSampler:
    """Draws the tokens of one sequence. It has its own random state, so the batch it is in changes nothing.

    A token is drawn from the TOP_K likeliest, or from fewer that come to TOP_P together. Where it is among the last
    WINDOW ones already, another is drawn from all the rest. The speech does not end before `least` tokens.
    """

    is_greedy = False

    def __init__(
        self,
        seed: int,
        least: int,
        speech: int = SPEECH_TOKENS,
        end: int | None = None,
        recent: Sequence[int] = (),
    ) -> None:
        """`speech`: tokens of sound. `end`: the one token without sound that may be drawn, or None: any.

        `recent`: the last tokens before.
        """
        self._key = mx.random.key(seed)
        self._left, self._speech, self._end = least, speech, end
        self._recent = mx.array([-1] * (WINDOW - len(recent)) + list(recent), mx.int32)
        """On the device, as the last token may not have been read yet."""

    def sample(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        """logits [n] → the next token, a scalar. What it has drawn before it knows; `tokens` do not matter."""
        numbers = mx.arange(len(logits))
        if self._left > 0:
            logits = mx.where(numbers >= self._speech, -mx.inf, logits)
        elif self._end is not None:
            logits = mx.where((numbers >= self._speech) & (numbers != self._end), -mx.inf, logits)
        self._left -= 1
        self._key, first, second = mx.random.split(self._key, 3)
        order = mx.argsort(-logits)[:TOP_K]
        shares = mx.softmax(logits)[order]
        likely = mx.where(mx.cumsum(shares) - shares < TOP_P, mx.log(shares), -mx.inf)
        token = order[mx.random.categorical(likely, key=first)]
        rest = mx.where(numbers == token, -mx.inf, logits)
        is_repeated = mx.any(self._recent == token)
        token = mx.where(is_repeated, mx.random.categorical(rest, key=second), token).astype(mx.int32)
        self._recent = mx.concatenate([self._recent[1:], token[None]])
        return token
