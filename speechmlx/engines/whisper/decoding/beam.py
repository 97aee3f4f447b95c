"""Beam search, after openai/whisper: a window is decoded as several hypotheses that share its audio.

Hypotheses are rows of one batch; those of one window are side by side. The keys and values of the window's audio are
stored once, and all its rows attend to them together.
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
    """Tokens without the end token, and their log-probabilities, with that of the end token where it was reached."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        return sum(self.logprobs)

    @property
    def score(self) -> float:
        """The mean log-probability, which compares hypotheses of different lengths."""
        return self.total / max(1, len(self.tokens))


class Beam:
    """The search for one window. `extend` until `row` is finished; then `row` has the tokens of the best hypothesis."""

    def __init__(self, row: TokenSequence, size: int, eot: int) -> None:
        self.row = row
        self._size = size
        self._eot = eot
        self._live = [BeamHypothesis()]
        self._ended: list[BeamHypothesis] = []

    @property
    def sequences(self) -> list[list[int]]:
        """The tokens of each live hypothesis, with the prefix."""
        prefix = self.row.prompt[len(self.row.prompt) - self.row.prefix_length :]
        return [[*prefix, *hypothesis.tokens] for hypothesis in self._live]

    def extend(self, tokens: Sequence[Sequence[int]], logprobs: Sequence[Sequence[float]]) -> list[int]:
        """Extend the live hypotheses by one token; `tokens` and `logprobs` hold the likeliest next tokens of each.

        The likeliest results live on, up to `size`; those that end are kept aside. Returns for each live one the index
        of the hypothesis that it extends. Log-probabilities that are no finite numbers fail the row.
        """
        if not np.isfinite(logprobs).all():
            self.row.fail()
            return []
        candidates = [
            (origin, token, BeamHypothesis(before.tokens, (*before.logprobs, logprob)))
            for origin, (before, row, chances) in enumerate(zip(self._live, tokens, logprobs, strict=True))
            for token, logprob in zip(row, chances, strict=True)
            if logprob > NEVER / 2
        ]
        candidates.sort(key=lambda candidate: candidate[2].total, reverse=True)
        origins: list[int] = []
        live: list[BeamHypothesis] = []
        for origin, token, extended in candidates:
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
        best = max(
            self._ended[: self._size] or self._live, key=lambda hypothesis: hypothesis.score, default=BeamHypothesis()
        )
        self.row.tokens, self.row.logprobs = list(best.tokens), list(best.logprobs)
        self.row.looped = is_looping(self.row.tokens)
        self.row.finished = True


class BeamSearch:
    """Up to `most` beams of one `size`. A step of the decoder serves them all; a beam leaves when it is finished."""

    def __init__(self, network: Network, vocabulary: Vocabulary, size: int, most: int) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._size = size
        self._beams: list[Beam] = []
        self._rows = BatchCache(network.dims, size * most, network.dtype)
        """Of the hypotheses: `size` rows per beam, in order. With fewer live hypotheses the last one is repeated."""
        self._audio = BatchCache(network.dims, most, network.dtype, columns=0)
        """Of the audio: a row per beam."""
        self._chooser: Chooser | None = None

    @property
    def held(self) -> int:
        """Bytes of the keys and values of all seats."""
        return self._rows.nbytes + self._audio.nbytes

    def join(self, row: TokenSequence) -> None:
        """Give a window a seat and find its first tokens. `row.cross` stays set, for word timing."""
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
        """Decode one token for every hypothesis."""
        if not self._beams:
            return
        sequences = [tokens for beam in self._beams for tokens in self._padded(beam.sequences)]
        last = mx.array(np.array([tokens[-1:] for tokens in sequences], np.int32))
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
            extended = beam.extend(tokens[rows], logprobs[rows])
            origins += [first + origin for origin in self._padded(extended or [0])]
        self._rows.reorder(origins)
        for beam in [beam for beam in self._beams if beam.row.finished]:
            self.leave(beam.row)

    def leave(self, row: TokenSequence) -> None:
        """Free the seats of a window, if it has any. The last beam takes them over."""
        index = next((i for i, beam in enumerate(self._beams) if beam.row is row), None)
        if index is None:
            return
        for hypothesis in reversed(range(self._size)):
            self._rows.leave(index * self._size + hypothesis, wipe=row.failed)
        self._audio.leave(index, wipe=row.failed)
        last = self._beams.pop()
        if last.row is not row:
            self._beams[index] = last
        self._chooser = None

    def _likeliest(
        self, chooser: Chooser, logits: mx.array, sequences: list[list[int]], first: bool
    ) -> tuple[list[list[int]], list[list[float]]]:
        """The likeliest next tokens of each sequence, and their log-probabilities, [rows, size + 1] each."""
        tokens, logprobs = chooser.likeliest(logits, trace(sequences, self._vocabulary), first, self._size + 1)
        mx.eval(tokens, logprobs)
        return np.array(tokens).tolist(), np.array(logprobs).tolist()

    def _chooser_of(self, rows: list[TokenSequence]) -> Chooser:
        return Chooser([row.rules for row in rows], self._vocabulary, self._network.kernels)

    def _padded(self, items: list[T]) -> list[T]:
        """Repeat the last item up to `size` items."""
        return items + [items[-1]] * (self._size - len(items))
