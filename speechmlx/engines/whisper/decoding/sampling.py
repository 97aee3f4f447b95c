"""Choosing the next token: suppression, Whisper's timestamp rules and sampling, on the device for a whole batch.

The timestamp rules, after openai/whisper: a window begins with a timestamp of at most one second. Timestamps come in
pairs, except before the end token. They never decrease, and a segment has a length. Where the timestamps together are
likelier than any text token, a timestamp is chosen. Logits are handled in three parts (text, end, timestamps), so that
no mask as wide as the vocabulary is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.model.tokenizer import Vocabulary

NEVER = -1e9
"""Added to the logits of tokens that must not be chosen. Finite, so that sums of it are never NaN."""
MOST_DRAWN = 1024
"""Random keys per seed, more than a row has tokens."""
LAST_INITIAL = 50
"""The latest timestamp, in steps of 20 ms, that a window may begin with."""


@dataclass(frozen=True)
class SamplingRules:
    """How to choose the tokens of one row. `suppress`: ids that are never chosen."""

    suppress: tuple[int, ...]
    timestamps: bool = True
    temperature: float = 0.0
    seed: int = 0
    """At a temperature above 0, the same seed and logits give the same tokens, whatever the other rows are."""


@dataclass(frozen=True)
class Trace:
    """What the timestamp rules need of each row, int32 [rows] on the device: its last two tokens and latest timestamp.

    Before the first token, `before` and `last` are timestamps and `latest` is the id before the first timestamp.
    """

    last: mx.array
    before: mx.array
    latest: mx.array


def trace(rows: Sequence[Sequence[int]], vocabulary: Vocabulary) -> Trace:
    """The trace of rows with these tokens [rows][t] so far."""
    first = vocabulary.timestamps
    last = [row[-1] if row else first for row in rows]
    before = [row[-2] if len(row) > 1 else first for row in rows]
    latest = [max((token for token in row if token >= first), default=first - 1) for row in rows]
    return Trace(*(mx.array(np.array(column, dtype=np.int32)) for column in (last, before, latest)))


class Chooser:
    """The rules of a fixed set of rows, as arrays that are made once; `choose` is called at every step."""

    def __init__(
        self,
        rules: Sequence[SamplingRules],
        vocabulary: Vocabulary,
        logsumexp: Callable[[mx.array], mx.array],
        drawn: Sequence[int] = (),
    ) -> None:
        """`drawn`: how many tokens each row has already, by default none. `logsumexp` keeps the last axis."""
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
        """Choose the next tokens from float32 `logits` [rows, vocabulary]. `first`: they are the rows' first tokens.

        Returns the tokens [rows], their log-probabilities [rows] and the trace after them.
        """
        whole = self._scores(logits, trace, first)
        index = mx.argmax(self._noisy(whole), axis=-1, keepdims=True)
        logprob = mx.take_along_axis(whole, index, axis=-1) - self._logsumexp(whole)
        token = mx.squeeze(self._token(index), -1)
        latest = mx.maximum(trace.latest, token * (token >= self._vocabulary.timestamps))
        return token, mx.squeeze(logprob, -1), Trace(token, trace.last, latest)

    def likeliest(self, logits: mx.array, trace: Trace, first: bool, count: int) -> tuple[mx.array, mx.array]:
        """The `count` likeliest next tokens [rows, count], in no order, and their log-probabilities [rows, count]."""
        whole = self._scores(logits, trace, first)
        index = mx.argpartition(-whole, count - 1, axis=-1)[:, :count]
        return self._token(index), mx.take_along_axis(whole, index, axis=-1) - self._logsumexp(whole)

    def _scores(self, logits: mx.array, trace: Trace, first: bool) -> mx.array:
        """Logits [rows, eot + 1 + timestamps] of text, end and timestamps under the rules."""
        text, times = self._allowed(logits, trace, first)
        # Timestamps are compared with text by their sum, before one of them is chosen.
        timed = self._logsumexp(times) > mx.max(text, axis=-1, keepdims=True)
        return mx.concatenate([text + timed * NEVER, times], axis=-1)

    def _token(self, index: mx.array) -> mx.array:
        """The token ids of indices into `_scores`."""
        vocabulary = self._vocabulary
        gap = vocabulary.timestamps - (vocabulary.eot + 1)
        return (index + (index > vocabulary.eot) * gap).astype(mx.int32)

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
        """Add noise to the rows with a temperature, so that the argmax is a sample."""
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
