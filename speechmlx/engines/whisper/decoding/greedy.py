"""Rows that decode together: one step of the decoder serves them all, with one read from the device.

The step after the next is launched before the next one is read, so the device does not wait for Python. A row that
turns out to have finished is then computed once in vain; nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.kv_cache import BatchCache
from speechmlx.engines.whisper.decoding.prefill import prefill
from speechmlx.engines.whisper.decoding.quality import is_looping
from speechmlx.engines.whisper.decoding.sampling import Chooser, SamplingRules, Trace, trace
from speechmlx.engines.whisper.model.network import Network, Pair
from speechmlx.engines.whisper.model.tokenizer import Vocabulary


@dataclass(eq=False)
class TokenSequence:
    """One window being decoded: what it was asked, and what came so far (tokens without the end, in order)."""

    prompt: list[int]
    rules: SamplingRules
    cross: list[Pair] | None
    """The window's keys and values until it is seated."""
    limit: int
    """Tokens at most."""
    prefix_length: int = 0
    """How many tokens at the end of `prompt` are already part of the window: a timestamp and the prefix."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of `tokens`, and of the end where it was reached."""
    no_speech: float = 0.0
    finished: bool = False
    looped: bool = False

    @property
    def sequence(self) -> list[int]:
        """The window's tokens so far, those given included."""
        return self.prompt[len(self.prompt) - self.prefix_length :] + self.tokens

    def take(self, token: int, logprob: float, eot: int) -> None:
        self.logprobs.append(logprob)
        if token == eot:
            self.finished = True
            return
        self.tokens.append(token)
        self.looped = is_looping(self.tokens)
        self.finished = self.looped or len(self.tokens) >= self.limit

    def restart(self, rules: SamplingRules) -> None:
        self.rules = rules
        self.tokens, self.logprobs = [], []
        self.finished = self.looped = False


@dataclass(frozen=True)
class _Step:
    """A step under way: each row's token and log-probability, and the trace with them in it."""

    token: mx.array
    logprob: mx.array
    trace: Trace


class GreedyBatch:
    """Rows in seats. Between two `step` calls rows may `join`, begin again (`again`) and `leave`."""

    def __init__(self, network: Network, vocabulary: Vocabulary, most: int) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._cache = BatchCache(network.dims, most, network.dtype)
        self._most = most
        self._rows: list[TokenSequence] = []
        self._chooser: Chooser | None = None
        self._pending: _Step | None = None

    @property
    def rows(self) -> Sequence[TokenSequence]:
        return self._rows

    @property
    def free(self) -> int:
        return self._most - len(self._rows)

    def join(self, rows: Sequence[TokenSequence]) -> None:
        """Seat rows and decode their first token."""
        self._settle()
        for row in rows:
            assert row.cross is not None, "a row joins with its audio"
            self._cache.take(row.cross)
            row.cross = None
            self._rows.append(row)
        first = len(self._rows) - len(rows)
        while first < len(self._rows):
            end = first + 1
            while end < len(self._rows) and self._alike(self._rows[first], self._rows[end]):
                end += 1
            self._begin(first, end)
            first = end

    def again(self, row: TokenSequence, rules: SamplingRules) -> None:
        """Decode a row anew under other rules; its audio stays where it is."""
        self._settle()
        row.restart(rules)
        index = self._rows.index(row)
        self._begin(index, index + 1)

    def leave(self, row: TokenSequence) -> None:
        self._settle()
        index = self._rows.index(row)
        self._cache.leave(index)
        last = self._rows.pop()
        if last is not row:
            self._rows[index] = last

    def cross(self, row: TokenSequence) -> list[Pair]:
        """The seated row's keys and values of the audio."""
        index = self._rows.index(row)
        return self._cache.cross(index, index + 1)

    def step(self) -> None:
        """One more token for every row that has not finished."""
        if all(row.finished for row in self._rows):
            return
        step = self._pending or self._launch(self._trace(self._rows))
        self._pending = None
        if not any(len(row.tokens) + 1 >= row.limit for row in self._rows):
            self._pending = self._launch(step.trace)
        self._read(step, self._rows)

    def _alike(self, one: TokenSequence, other: TokenSequence) -> bool:
        sot = self._vocabulary.sot
        if len(one.prompt) != len(other.prompt) or bool(one.prefix_length) != bool(other.prefix_length):
            return False
        return one.prompt.index(sot) == other.prompt.index(sot)

    def _trace(self, rows: Sequence[TokenSequence]) -> Trace:
        return trace([row.sequence for row in rows], self._vocabulary)

    def _settle(self) -> None:
        """Take in the step under way, and forget what was made for the rows as they were."""
        if self._pending is not None:
            self._read(self._pending, self._rows)
        self._pending = self._chooser = None

    def _begin(self, first: int, end: int) -> None:
        """Prompts of rows [first, end), which are alike, and their first token."""
        rows = self._rows[first:end]
        cross, cross_mask = self._cache.cross(first, end), self._cache.cross_mask(first, end)
        read = prefill(self._network, self._vocabulary, [row.prompt for row in rows], cross, cross_mask)
        chooser = Chooser([row.rules for row in rows], self._vocabulary, self._network.kernels.logsumexp)
        token, logprob, _ = chooser.choose(read.logits, self._trace(rows), first=not rows[0].prefix_length)
        for index in range(first, end):
            one = slice(index - first, index - first + 1)
            self._cache.begin(index, [(k[one], v[one]) for k, v in read.pairs], len(rows[0].prompt))
        mx.eval(token, logprob, read.no_speech)
        self._read(_Step(token, logprob, Trace(token, token, token)), rows)
        for row, value in zip(rows, np.array(read.no_speech).tolist(), strict=True):
            row.no_speech = value

    def _launch(self, trace: Trace) -> _Step:
        if self._chooser is None:
            rules, drawn = [row.rules for row in self._rows], [len(row.tokens) for row in self._rows]
            self._chooser = Chooser(rules, self._vocabulary, self._network.kernels.logsumexp, drawn)
        self._cache.begin_step()
        positions = mx.array(np.array(self._cache.lengths, np.int32) - 1)[:, None]
        decoder = self._network.decoder
        cache = self._cache
        hidden, _ = decoder(trace.last[:, None], positions, cache, cache.cross(), cache.mask(), cache.cross_mask())
        token, logprob, after = self._chooser.choose(decoder.logits(hidden[:, -1]), trace, first=False)
        mx.async_eval(token, logprob, after.latest)
        return _Step(token, logprob, after)

    def _read(self, step: _Step, rows: Sequence[TokenSequence]) -> None:
        tokens, logprobs = np.array(step.token).tolist(), np.array(step.logprob).tolist()
        for row, token, logprob in zip(rows, tokens, logprobs, strict=True):
            if not row.finished:
                row.take(token, logprob, self._vocabulary.eot)
