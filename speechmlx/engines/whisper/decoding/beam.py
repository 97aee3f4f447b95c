"""Beam search, after openai/whisper: a window decoded as several hypotheses that share its audio.

Hypotheses are rows of one batch, those of a window side by side; its audio's keys and values are there once, and all
rows of it look at them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.decoding.kv_cache import BatchCache
from speechmlx.engines.whisper.decoding.prefill import prefill
from speechmlx.engines.whisper.decoding.quality import is_looping
from speechmlx.engines.whisper.decoding.sampling import NEVER, Chooser, trace
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.model.tokenizer import Vocabulary

MOST_BEAMS = 10

T = TypeVar("T")


@dataclass(frozen=True)
class BeamHypothesis:
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
    """The search for one row: `extend` until the row has finished, then its tokens are the best hypothesis'."""

    def __init__(self, row: TokenSequence, size: int, eot: int) -> None:
        self.row = row
        self._size = size
        self._eot = eot
        self._live = [BeamHypothesis()]
        self._ended: list[BeamHypothesis] = []

    @property
    def sequences(self) -> list[list[int]]:
        """The tokens of each live hypothesis, those given included."""
        given = self.row.prompt[len(self.row.prompt) - self.row.prefix_length :]
        return [[*given, *one.tokens] for one in self._live]

    def extend(self, tokens: Sequence[Sequence[int]], logprobs: Sequence[Sequence[float]]) -> list[int]:
        """The likeliest continuations of each live hypothesis → which of them the hypotheses that live on go on from.

        Those that end are kept, `size` others live on.
        """
        found = [
            (origin, token, BeamHypothesis(before.tokens, (*before.logprobs, logprob)))
            for origin, (before, row, chances) in enumerate(zip(self._live, tokens, logprobs, strict=True))
            for token, logprob in zip(row, chances, strict=True)
            if logprob > NEVER / 2
        ]
        found.sort(key=lambda candidate: candidate[2].total, reverse=True)
        origins: list[int] = []
        live: list[BeamHypothesis] = []
        for origin, token, extended in found:
            if token == self._eot:
                self._ended.append(extended)
            else:
                origins.append(origin)
                live.append(BeamHypothesis((*extended.tokens, token), extended.logprobs))
            if len(live) == self._size:
                break
        self._live = live
        if self._is_over():
            self._finish()
        return origins

    def _is_over(self) -> bool:
        if len(self._ended) >= self._size or not self._live:
            return True
        return len(self._live[0].tokens) >= self.row.limit or is_looping(self._live[0].tokens)

    def _finish(self) -> None:
        best = max(self._ended[: self._size] or self._live, key=lambda one: one.score, default=BeamHypothesis())
        self.row.tokens, self.row.logprobs = list(best.tokens), list(best.logprobs)
        self.row.looped = is_looping(self.row.tokens)
        self.row.finished = True


class BeamSearch:
    """Beams of one size, up to `most` of them, a step of the decoder for all; a beam leaves when it has finished."""

    def __init__(self, network: Network, vocabulary: Vocabulary, size: int, most: int) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._size = size
        self._beams: list[Beam] = []
        self._rows = BatchCache(network.dims, size * most, network.dtype)
        """Of the hypotheses: `size` of each beam, in order; where fewer live, the last of them again."""
        self._audio = BatchCache(network.dims, most, network.dtype, columns=0)
        """A row for each beam, of which only the audio is used."""
        self._chooser: Chooser | None = None

    def join(self, row: TokenSequence) -> None:
        """Seat a row, whose audio stays with it, and find its first tokens."""
        assert row.cross is not None, "a search begins with its audio"
        read = prefill(self._network, self._vocabulary, [row.prompt], row.cross)
        beam = Beam(row, self._size, self._vocabulary.eot)
        tokens, logprobs = self._likeliest(self._chooser_of([row]), read.logits, beam.sequences, not row.prefix_length)
        row.no_speech = float(np.array(read.no_speech)[0])
        beam.extend(tokens, logprobs)
        if not row.finished:
            self._audio.take(row.cross)
            for _ in range(self._size):
                self._rows.begin(self._rows.take([]), read.pairs, len(row.prompt))
            self._beams.append(beam)
            self._chooser = None

    def step(self) -> None:
        """One more token for every hypothesis."""
        if not self._beams:
            return
        sequences = [one for beam in self._beams for one in self._padded(beam.sequences)]
        last = mx.array(np.array([one[-1:] for one in sequences], np.int32))
        if self._chooser is None:
            self._chooser = self._chooser_of([beam.row for beam in self._beams for _ in range(self._size)])
        self._rows.begin_step()
        positions = mx.array(np.array(self._rows.lengths, np.int32) - 1)[:, None]
        cross, masks = self._audio.cross(), (self._rows.mask(), self._audio.cross_mask())
        hidden, _ = self._network.decoder(last, positions, self._rows, cross, *masks)
        logits = self._network.decoder.logits(hidden[:, -1])
        tokens, logprobs = self._likeliest(self._chooser, logits, sequences, False)
        origins: list[int] = []
        for index, beam in enumerate(self._beams):
            first, live = index * self._size, len(beam.sequences)
            rows = slice(first, first + live)
            found = beam.extend(tokens[rows], logprobs[rows])
            origins += [first + origin for origin in self._padded(found or [0])]
        self._rows.reorder(origins)
        for beam in [beam for beam in self._beams if beam.row.finished]:
            self.leave(beam.row)

    def leave(self, row: TokenSequence) -> None:
        """Free the seats of a row, if it has any; those of the last beam take their place."""
        index = next((i for i, beam in enumerate(self._beams) if beam.row is row), None)
        if index is None:
            return
        for hypothesis in reversed(range(self._size)):
            self._rows.leave(index * self._size + hypothesis)
        self._audio.leave(index)
        last = self._beams.pop()
        if last.row is not row:
            self._beams[index] = last
        self._chooser = None

    def _likeliest(
        self, chooser: Chooser, logits: mx.array, sequences: list[list[int]], first: bool
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Tokens after each sequence, and their log-probabilities [rows, size + 1]."""
        tokens, logprobs = chooser.likeliest(logits, trace(sequences, self._vocabulary), first, self._size + 1)
        mx.eval(tokens, logprobs)
        return np.array(tokens).tolist(), np.array(logprobs).tolist()

    def _chooser_of(self, rows: list[TokenSequence]) -> Chooser:
        return Chooser([row.rules for row in rows], self._vocabulary, self._network.kernels.logsumexp)

    def _padded(self, found: list[T]) -> list[T]:
        """`size` of them: the last again and again."""
        return found + [found[-1]] * (self._size - len(found))
