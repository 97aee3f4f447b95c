"""Greedy decoding and sampling of many windows in one batch, with one read from the device per step.

The next step is launched before this one is read, so that the device does not wait for Python. A row that turns out to
be finished was then computed once in vain; nothing else depends on it.
"""

from __future__ import annotations

import math
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
    """The tokens of one window while it is decoded: a row of a batch. `tokens` is without the end token."""

    prompt: list[int]
    rules: SamplingRules
    cross: list[Pair] | None
    """Each decoder layer's keys and values [1, h, n, d] of the audio, until a greedy batch has taken them."""
    limit: int
    """Tokens to decode at most."""
    prefix_length: int = 0
    """Tokens at the end of `prompt` that are part of the window: a timestamp and the request's prefix."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Log-probabilities of `tokens`, and of the end token where it was reached."""
    no_speech: float = 0.0
    """Probability of silence."""
    finished: bool = False
    looped: bool = False
    failed: bool = False
    """A log-probability was no finite number: it is finished, and its keys and values are garbage."""

    @property
    def sequence(self) -> list[int]:
        """The window's tokens so far, with the prefix."""
        return self.prompt[len(self.prompt) - self.prefix_length :] + self.tokens

    def take(self, token: int, logprob: float, eot: int) -> None:
        """Add a token; the end token, a loop, the limit and a log-probability that is none finish the sequence."""
        if not math.isfinite(logprob):
            self.fail()
            return
        self.logprobs.append(logprob)
        if token == eot:
            self.finished = True
            return
        self.tokens.append(token)
        self.looped = is_looping(self.tokens)
        self.finished = self.looped or len(self.tokens) >= self.limit

    def fail(self) -> None:
        """End the sequence: what the network computes for it are no finite numbers."""
        self.finished = self.failed = True

    def restart(self, rules: SamplingRules) -> None:
        """Forget the tokens, to decode the window again under other rules."""
        self.rules = rules
        self.tokens, self.logprobs = [], []
        self.finished = self.looped = False


@dataclass(frozen=True)
class _Step:
    """A launched step: each row's token [rows] and log-probability [rows], and the trace after it."""

    token: mx.array
    logprob: mx.array
    trace: Trace


class GreedyBatch:
    """Up to `most` rows. Between two `step` calls rows may `join`, be decoded again (`retry`) and `leave`."""

    def __init__(self, network: Network, vocabulary: Vocabulary, most: int) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._cache = BatchCache(network.dims, most, network.dtype, pipelined=network.kernels.pipelined)
        self._most = most
        self._rows: list[TokenSequence] = []
        self._chooser: Chooser | None = None
        self._pending: _Step | None = None

    @property
    def rows(self) -> Sequence[TokenSequence]:
        return self._rows

    @property
    def held(self) -> int:
        """Bytes of the keys and values of all seats."""
        return self._cache.nbytes

    @property
    def free(self) -> int:
        return self._most - len(self._rows)

    def join(self, rows: Sequence[TokenSequence]) -> None:
        """Give rows a seat and decode their first tokens. Neighbours with prompts of one length are read together."""
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

    def retry(self, row: TokenSequence, rules: SamplingRules) -> None:
        """Decode a seated row again under other rules, beginning with its first token."""
        self._settle()
        row.restart(rules)
        index = self._rows.index(row)
        self._begin(index, index + 1)

    def leave(self, row: TokenSequence) -> None:
        """Free the seat of a row; the last row takes it over."""
        self._settle()
        index = self._rows.index(row)
        self._cache.leave(index, wipe=row.failed)
        last = self._rows.pop()
        if last is not row:
            self._rows[index] = last

    def cross(self, row: TokenSequence) -> list[Pair]:
        """Each decoder layer's keys and values [1, h, n, d] of a seated row's audio."""
        index = self._rows.index(row)
        return self._cache.cross(index, index + 1)

    def step(self) -> None:
        """Decode one token for every row that is not finished."""
        if all(row.finished for row in self._rows):
            return
        step = self._pending or self._launch(self._trace(self._rows))
        self._pending = None
        if not any(len(row.tokens) + 1 >= row.limit for row in self._rows):
            self._pending = self._launch(step.trace)
        self._read(step, self._rows)

    def _alike(self, row: TokenSequence, other: TokenSequence) -> bool:
        """Whether the prompts of two rows can be read together."""
        sot = self._vocabulary.sot
        if len(row.prompt) != len(other.prompt) or bool(row.prefix_length) != bool(other.prefix_length):
            return False
        return row.prompt.index(sot) == other.prompt.index(sot)

    def _trace(self, rows: Sequence[TokenSequence]) -> Trace:
        return trace([row.sequence for row in rows], self._vocabulary)

    def _settle(self) -> None:
        """Read the launched step. The arrays made for this set of rows are dropped: it is about to change."""
        if self._pending is not None:
            self._read(self._pending, self._rows)
        self._pending = self._chooser = None

    def _begin(self, first: int, end: int) -> None:
        """Read the prompts of rows [first, end), which are alike, and decode their first tokens."""
        rows = self._rows[first:end]
        cross, cross_mask = self._cache.cross(first, end), self._cache.cross_mask(first, end)
        read = prefill(self._network, self._vocabulary, [row.prompt for row in rows], cross, cross_mask)
        chooser = Chooser([row.rules for row in rows], self._vocabulary, self._network.kernels)
        token, logprob, _ = chooser.choose(read.logits, self._trace(rows), first=not rows[0].prefix_length)
        for index in range(first, end):
            at = slice(index - first, index - first + 1)
            self._cache.begin(index, [(k[at], v[at]) for k, v in read.pairs], len(rows[0].prompt))
        mx.eval(token, logprob, read.no_speech)
        self._read(_Step(token, logprob, Trace(token, token, token)), rows)
        for row, value in zip(rows, np.array(read.no_speech).tolist(), strict=True):
            row.no_speech = value

    def _launch(self, trace: Trace) -> _Step:
        if self._chooser is None:
            rules, drawn = [row.rules for row in self._rows], [len(row.tokens) for row in self._rows]
            self._chooser = Chooser(rules, self._vocabulary, self._network.kernels, drawn)
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
