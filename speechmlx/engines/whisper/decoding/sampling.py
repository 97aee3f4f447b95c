"""Choosing the next token: suppression, Whisper's timestamp rules and sampling, on the device for a whole batch.

The timestamp rules, after openai/whisper: a window begins with a timestamp of at most one second. Timestamps come in
pairs, except before the end token. They never decrease, and a segment has a length. Where the timestamps together are
likelier than any text token, a timestamp is chosen. Logits are handled in three parts (text, end, timestamps), so that
no mask as wide as the vocabulary is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.model.network import Kernels
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


@dataclass(frozen=True)
class Ids:
    """Where the parts of a vocabulary of `size` ids are: text up to the end token `eot`, timestamps from `timed` on."""

    eot: int
    timed: int
    size: int

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Ids:
        return cls(vocabulary.eot, vocabulary.timestamps, vocabulary.size)


class Choice:
    """The arithmetic of a choice, as functions of arrays only: a GPU has it compiled, once per shape.

    Compiled it is 15 kernels, plain about 40.
    """

    def __init__(self, ids: Ids, kernels: Kernels) -> None:
        self._ids = ids
        self._logsumexp = kernels.logsumexp
        self._first = mx.compile(self._beginning) if kernels.compiles else self._beginning
        self._later = mx.compile(self._masked) if kernels.compiles else self._masked
        self.conclude = mx.compile(self._conclude) if kernels.compiles else self._conclude
        self._is_word = mx.array(np.arange(ids.eot + 1)[None] < ids.eot).astype(mx.float32)
        self._times = mx.arange(ids.timed, ids.size)[None]
        mx.eval(self._is_word, self._times)

    def first(self, logits: mx.array, suppress: mx.array, untimed: mx.array, blank: mx.array) -> mx.array:
        """Logits [rows, eot + 1 + timestamps] of text, end and timestamps under the rules of a first token."""
        return self._first(logits, suppress, untimed, blank, self._times)

    def _beginning(
        self, logits: mx.array, suppress: mx.array, untimed: mx.array, blank: mx.array, ids: mx.array
    ) -> mx.array:
        text, times = self._split(logits, suppress, untimed)
        times = times + (ids > self._ids.timed + LAST_INITIAL) * NEVER
        return self._joined(text + mx.minimum((untimed == 0) * NEVER, blank), times)

    def later(self, logits: mx.array, suppress: mx.array, untimed: mx.array, trace: Trace) -> mx.array:
        """The same for any other token."""
        constant = self._is_word, self._times
        return self._later(logits, suppress, untimed, *constant, trace.last, trace.before, trace.latest)

    def _masked(
        self,
        logits: mx.array,
        suppress: mx.array,
        untimed: mx.array,
        is_word: mx.array,
        ids: mx.array,
        *trace: mx.array,
    ) -> mx.array:
        last, before, latest = (column[:, None] for column in trace)
        text, times = self._split(logits, suppress, untimed)
        last_timed, pair_done = last >= self._ids.timed, before >= self._ids.timed
        pair_open = last_timed & ~pair_done & (untimed == 0)
        least = latest + 1 - pair_open.astype(mx.int32)
        times = times + ((ids < least) | (last_timed & pair_done)) * NEVER
        return self._joined(text + pair_open * NEVER * is_word, times)

    def _conclude(self, scores: mx.array, index: mx.array, latest: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """Tokens [rows] at `index` [rows, 1] into `scores`, their log-probabilities, and the latest timestamps."""
        logprob = mx.take_along_axis(scores, index, axis=-1) - self._logsumexp(scores)
        token = mx.squeeze(self.token(index), -1)
        return token, mx.squeeze(logprob, -1), mx.maximum(latest, token * (token >= self._ids.timed))

    def token(self, index: mx.array) -> mx.array:
        """The token ids of indices into scores."""
        gap = self._ids.timed - (self._ids.eot + 1)
        return (index + (index > self._ids.eot) * gap).astype(mx.int32)

    def _split(self, logits: mx.array, suppress: mx.array, untimed: mx.array) -> tuple[mx.array, mx.array]:
        return logits[:, : self._ids.eot + 1] + suppress, logits[:, self._ids.timed :] + untimed

    def _joined(self, text: mx.array, times: mx.array) -> mx.array:
        # Timestamps are compared with text by their sum, before one of them is chosen.
        timed = self._logsumexp(times) > mx.max(text, axis=-1, keepdims=True)
        return mx.concatenate([text + timed * NEVER, times], axis=-1)


choice = cache(Choice)
"""The one `Choice` of a vocabulary and a device: what it compiles serves every batch."""


class Chooser:
    """The rules of a fixed set of rows, as arrays that are made once; `choose` is called at every step."""

    def __init__(
        self,
        rules: Sequence[SamplingRules],
        vocabulary: Vocabulary,
        kernels: Kernels,
        drawn: Sequence[int] = (),
    ) -> None:
        """`drawn`: how many tokens each row has already, by default none."""
        self._vocabulary = vocabulary
        self._choice = choice(Ids.of(vocabulary), kernels)
        self._logsumexp = kernels.logsumexp
        self._rules = rules
        self._drawn = list(drawn) or [0] * len(rules)
        shared = len({rule.suppress for rule in rules}) == 1
        masks = np.zeros((1 if shared else len(rules), vocabulary.eot + 1), np.float32)
        for mask, rule in zip(masks, rules, strict=False):
            mask[[token for token in rule.suppress if token <= vocabulary.eot]] = NEVER
        self._suppress = mx.array(masks)
        self._untimed = mx.array(np.array([[0.0 if rule.timestamps else NEVER] for rule in rules], np.float32))

    def choose(self, logits: mx.array, trace: Trace, first: bool) -> tuple[mx.array, mx.array, Trace]:
        """Choose the next tokens from float32 `logits` [rows, vocabulary]. `first`: they are the rows' first tokens.

        Returns the tokens [rows], their log-probabilities [rows] and the trace after them.
        """
        scores = self._scores(logits, trace, first)
        index = mx.argmax(self._noisy(scores), axis=-1, keepdims=True)
        token, logprob, latest = self._choice.conclude(scores, index, trace.latest)
        return token, logprob, Trace(token, trace.last, latest)

    def likeliest(self, logits: mx.array, trace: Trace, first: bool, count: int) -> tuple[mx.array, mx.array]:
        """The `count` likeliest next tokens [rows, count], in no order, and their log-probabilities [rows, count]."""
        scores = self._scores(logits, trace, first)
        index = mx.argpartition(-scores, count - 1, axis=-1)[:, :count]
        return self._choice.token(index), mx.take_along_axis(scores, index, axis=-1) - self._logsumexp(scores)

    def _scores(self, logits: mx.array, trace: Trace, first: bool) -> mx.array:
        """Logits [rows, eot + 1 + timestamps] of text, end and timestamps under the rules."""
        if first:
            return self._choice.first(logits, self._suppress, self._untimed, self._blank())
        return self._choice.later(logits, self._suppress, self._untimed, trace)

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
