"""Beam search, after openai/whisper: one window decoded as several hypotheses that share its audio.

Hypotheses are rows of one small batch; the audio's keys and values are there once, and all rows look at them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.batch import Row
from speechmlx.engines.whisper.network import Network, Pair
from speechmlx.engines.whisper.rules import NEVER, Chooser, trace
from speechmlx.engines.whisper.seats import Prompt, Seats, causal
from speechmlx.engines.whisper.tokens import Vocabulary
from speechmlx.engines.whisper.windows import is_looping

MOST_BEAMS = 10


@dataclass(frozen=True)
class Hypothesis:
    """Tokens without the end, and the log-probability of each, the end's included where it was reached."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        return sum(self.logprobs)

    @property
    def score(self) -> float:
        """What finished hypotheses of different lengths are compared by."""
        return self.total / max(1, len(self.tokens))


class Beam:
    """The search for one row: `step` until the row has finished, then its tokens are the best hypothesis'."""

    def __init__(self, network: Network, vocabulary: Vocabulary, row: Row, size: int) -> None:
        assert row.cross is not None, "a search begins with its audio"
        self.row = row
        self.cross: list[Pair] = row.cross
        self._network = network
        self._vocabulary = vocabulary
        self._size = size
        self._seats = Seats(network.dims, size, network.dtype)
        self._chooser = Chooser([row.rules], vocabulary, network.kernels.logsumexp)
        self._live = [Hypothesis()]
        self._ended: list[Hypothesis] = []
        self._begin()

    def step(self) -> None:
        """One more token for every hypothesis."""
        self._seats.begin_step()
        positions = mx.array(np.array(self._seats.lengths, np.int32) - 1)[:, None]
        tokens = mx.array(np.array([[one.tokens[-1]] for one in self._live], np.int32))
        hidden, _ = self._network.decoder(tokens, positions, self._seats, self.cross, self._seats.mask())
        self._extend(self._network.decoder.logits(hidden[:, -1]), first=False)

    def _begin(self) -> None:
        row, decoder = self.row, self._network.decoder
        length = len(row.prompt)
        prompt = Prompt()
        mask = causal(length, self._network.dtype)
        hidden, _ = decoder(mx.array([row.prompt]), mx.arange(length)[None], prompt, self.cross, mask)
        sot = row.prompt.index(self._vocabulary.sot)
        logits = decoder.logits(mx.stack([hidden[0, sot], hidden[0, -1]]))
        silence = mx.exp(logits[0, self._vocabulary.no_speech] - mx.logsumexp(logits[0]))
        for index in range(self._size):
            self._seats.take([])
            self._seats.begin(index, prompt.pairs, length)
        row.no_speech = float(np.array(silence))
        self._extend(logits[1:], first=not row.given)

    def _extend(self, logits: mx.array, first: bool) -> None:
        """The likeliest continuations of the live hypotheses: those that end are kept, `size` others live on."""
        given = self.row.prompt[len(self.row.prompt) - self.row.given :]
        traced = trace([[*given, *one.tokens] for one in self._live], self._vocabulary)
        tokens, logprobs = self._chooser.likeliest(logits, traced, first, self._size + 1)
        mx.eval(tokens, logprobs)
        found = [
            (origin, token, Hypothesis(before.tokens, (*before.logprobs, logprob)))
            for origin, (before, row, chances) in enumerate(
                zip(self._live, np.array(tokens).tolist(), np.array(logprobs).tolist(), strict=True)
            )
            for token, logprob in zip(row, chances, strict=True)
            if logprob > NEVER / 2
        ]
        found.sort(key=lambda candidate: candidate[2].total, reverse=True)
        origins: list[int] = []
        live: list[Hypothesis] = []
        for origin, token, extended in found:
            if token == self._vocabulary.eot:
                self._ended.append(extended)
            else:
                origins.append(origin)
                live.append(Hypothesis((*extended.tokens, token), extended.logprobs))
            if len(live) == self._size:
                break
        self._live = live
        if self._is_over():
            self._finish()
        else:
            self._seats.reorder(origins)

    def _is_over(self) -> bool:
        if len(self._ended) >= self._size or not self._live:
            return True
        return len(self._live[0].tokens) >= self.row.limit or is_looping(self._live[0].tokens)

    def _finish(self) -> None:
        best = max(self._ended[: self._size] or self._live, key=lambda one: one.score, default=Hypothesis())
        self.row.tokens, self.row.logprobs = list(best.tokens), list(best.logprobs)
        self.row.looped = is_looping(self.row.tokens)
        self.row.finished = True
