"""Which token comes next: suppression, Whisper's timestamp rules and the choice, on the device for a whole batch.

The rules, after openai/whisper: a window begins with a timestamp of at most one second; timestamps come in pairs,
except before the end; they never go back, and a segment has a length; where timestamps together are likelier than any
text, one of them is taken. Logits are handled as three pieces (text, end, timestamps), so that no mask as wide as the
vocabulary is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.model.tokenizer import Vocabulary

NEVER = -1e9
"""Added to what must not be chosen; finite, so that no sum of such entries is ever NaN."""
MOST_DRAWN = 1024
"""More than the tokens of any row: seeds are this far apart."""
LAST_INITIAL = 50
"""Timestamps (of 20 ms) a window may begin with."""


@dataclass(frozen=True)
class SamplingRules:
    """How one row of a batch is to be decoded."""

    suppress: tuple[int, ...]
    timestamps: bool = True
    temperature: float = 0.0
    seed: int = 0
    """Of what is drawn at a temperature: the same seed and logits give the same tokens, whatever rows are beside."""


@dataclass(frozen=True)
class Trace:
    """What the rules need to know of each row, int32 [rows] on the device: the two last tokens and the latest time.

    `before` and `last` start as timestamps, `latest` as the id before the first timestamp.
    """

    last: mx.array
    before: mx.array
    latest: mx.array


def trace(rows: Sequence[Sequence[int]], vocabulary: Vocabulary) -> Trace:
    """The trace of rows that have sampled these tokens so far."""
    first = vocabulary.timestamps
    last = [row[-1] if row else first for row in rows]
    before = [row[-2] if len(row) > 1 else first for row in rows]
    latest = [max((token for token in row if token >= first), default=first - 1) for row in rows]
    return Trace(*(mx.array(np.array(column, dtype=np.int32)) for column in (last, before, latest)))


class Chooser:
    """The rules of a fixed set of rows, as arrays made once; `choose` is called at every step."""

    def __init__(
        self,
        rules: Sequence[SamplingRules],
        vocabulary: Vocabulary,
        logsumexp: Callable[[mx.array], mx.array],
        drawn: Sequence[int] = (),
    ) -> None:
        """`drawn`: how many tokens each row has already; none where left out."""
        self._vocabulary = vocabulary
        self._logsumexp = logsumexp
        self._rules = rules
        self._drawn = list(drawn) or [0] * len(rules)
        shared = len({rule.suppress for rule in rules}) == 1
        masks = np.zeros((1 if shared else len(rules), vocabulary.eot + 1), np.float32)
        for mask, rule in zip(masks, rules, strict=False):
            mask[[token for token in rule.suppress if token <= vocabulary.eot]] = NEVER
        self._suppress = mx.array(masks)
        self._untimed = mx.array(np.array([[0.0 if rule.timestamps else NEVER] for rule in rules], np.float32))
        self._times = mx.arange(vocabulary.timestamps, vocabulary.size)[None]

    def choose(self, logits: mx.array, trace: Trace, first: bool) -> tuple[mx.array, mx.array, Trace]:
        """The next token [rows] and its log-probability [rows] from float32 `logits` [rows, vocabulary].

        `first` says that these are the rows' first tokens.
        """
        whole = self._scores(logits, trace, first)
        found = mx.argmax(self._noisy(whole), axis=-1, keepdims=True)
        logprob = mx.take_along_axis(whole, found, axis=-1) - self._logsumexp(whole)
        token = mx.squeeze(self._token(found), -1)
        latest = mx.maximum(trace.latest, token * (token >= self._vocabulary.timestamps))
        return token, mx.squeeze(logprob, -1), Trace(token, trace.last, latest)

    def likeliest(self, logits: mx.array, trace: Trace, first: bool, count: int) -> tuple[mx.array, mx.array]:
        """The `count` likeliest next tokens [rows, count], in no order, and their log-probabilities."""
        whole = self._scores(logits, trace, first)
        found = mx.argpartition(-whole, count - 1, axis=-1)[:, :count]
        return self._token(found), mx.take_along_axis(whole, found, axis=-1) - self._logsumexp(whole)

    def _scores(self, logits: mx.array, trace: Trace, first: bool) -> mx.array:
        """Logits of text, end and timestamps under the rules, [rows, eot + 1 + timestamps]."""
        text, times = self._allowed(logits, trace, first)
        # Timestamps win together before they win one by one.
        timed = self._logsumexp(times) > mx.max(text, axis=-1, keepdims=True)
        return mx.concatenate([text + timed * NEVER, times], axis=-1)

    def _token(self, place: mx.array) -> mx.array:
        """The ids at places of `_scores`."""
        vocabulary = self._vocabulary
        gap = vocabulary.timestamps - (vocabulary.eot + 1)
        return (place + (place > vocabulary.eot) * gap).astype(mx.int32)

    def _allowed(self, logits: mx.array, trace: Trace, first: bool) -> tuple[mx.array, mx.array]:
        vocabulary = self._vocabulary
        text = logits[:, : vocabulary.eot + 1] + self._suppress
        times = logits[:, vocabulary.timestamps :] + self._untimed
        if first:
            beginning = (self._untimed == 0) * NEVER
            times = times + (self._times > vocabulary.timestamps + LAST_INITIAL) * NEVER
            return text + mx.minimum(beginning, self._blank()), times
        last_timed = (trace.last >= vocabulary.timestamps)[:, None]
        pair_done = (trace.before >= vocabulary.timestamps)[:, None]
        pair_open = last_timed & ~pair_done & (self._untimed == 0)
        least = trace.latest[:, None] + 1 - pair_open.astype(mx.int32)
        times = times + ((self._times < least) | (last_timed & pair_done)) * NEVER
        words = text[:, :-1] + pair_open * NEVER
        return mx.concatenate([words, text[:, -1:]], axis=-1), times

    def _blank(self) -> mx.array:
        mask = np.zeros((1, self._vocabulary.eot + 1), np.float32)
        mask[:, list(self._vocabulary.blank)] = NEVER
        return mx.array(mask)

    def _noisy(self, scores: mx.array) -> mx.array:
        """Scores whose argmax is a sample at the row's temperature."""
        if not any(rule.temperature for rule in self._rules):
            return scores
        rows = []
        for index, rule in enumerate(self._rules):
            row = scores[index : index + 1]
            if rule.temperature:
                key = mx.random.key(rule.seed * MOST_DRAWN + self._drawn[index])
                row = row / rule.temperature + mx.random.gumbel(row.shape, key=key)
            rows.append(row)
            self._drawn[index] += 1
        return mx.concatenate(rows)
