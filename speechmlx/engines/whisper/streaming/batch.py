"""Live buffers of many streams decoded in one batch: whichever stream is stepped, all of them get a token."""

from __future__ import annotations

from collections.abc import Generator

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.kv_cache import Seats
from speechmlx.engines.whisper.decoding.prefill import read
from speechmlx.engines.whisper.decoding.sampling import Chooser, Rules, trace
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.streaming.alignatt import Followed, Following


class LiveBatch:
    """Rows of one model, up to `most`; a row leaves when it has finished."""

    def __init__(self, network: Network, vocabulary: Vocabulary, heads: Heads, most: int) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._heads = heads
        self._most = most
        self._seats = Seats(network.dims, most, network.dtype)
        self._rows: list[Following] = []
        self._chooser: Chooser | None = None

    def follow(self, row: Following) -> Generator[None, None, Followed]:
        """Decode `row` to its end, a step of the whole batch between two yields. Closed early, the row leaves."""
        while len(self._rows) == self._most:
            self._step()
            yield
        self._join(row)
        try:
            yield
            while not row.finished:
                self._step()
                yield
        finally:
            self._leave(row)
        return row.followed

    def _join(self, row: Following) -> None:
        """Seat it: its prompt, and its first token."""
        begun = read(self._network, self._vocabulary, [row.prompt], row.cross, look=self._heads)
        token, logprob, _ = self._chooser_of([row]).choose(begun.logits, trace([[]], self._vocabulary), first=True)
        scores = mx.concatenate(begun.looked, axis=1)[0]
        mx.eval(token, logprob, begun.no_speech, scores)
        row.begin(np.array(scores), float(np.array(begun.no_speech)[0]))
        row.take(int(np.array(token)[0]), float(np.array(logprob)[0]))
        if not row.finished:
            seat = self._seats.take(row.cross)
            self._seats.begin(seat, begun.pairs, len(row.prompt))
            self._rows.append(row)
            self._chooser = None
        row.cross = ()

    def _step(self) -> None:
        """One more token for every row."""
        rows, seats, decoder = self._rows, self._seats, self._network.decoder
        if self._chooser is None:
            self._chooser = self._chooser_of(rows)
        seats.begin_step()
        so_far = trace([row.tokens for row in rows], self._vocabulary)
        positions = mx.array(np.array(seats.lengths, np.int32) - 1)[:, None]
        cross, masks = seats.cross(), (seats.mask(), seats.cross_mask())
        hidden, looked = decoder(so_far.last[:, None], positions, seats, cross, *masks, look=self._heads)
        token, logprob, _ = self._chooser.choose(decoder.logits(hidden[:, -1]), so_far, first=False)
        scores = mx.concatenate(looked, axis=1)[:, :, 0]
        mx.eval(token, logprob, scores)
        found = np.array(token).tolist(), np.array(logprob).tolist(), np.array(scores), seats.heard
        for row, value, chance, looks, places in zip(list(rows), *found, strict=True):
            row.look(looks[:, :places])
            row.take(value, chance)
        for row in [row for row in rows if row.finished]:
            self._leave(row)

    def _leave(self, row: Following) -> None:
        if row in self._rows:
            index = self._rows.index(row)
            self._seats.leave(index)
            last = self._rows.pop()
            if last is not row:
                self._rows[index] = last
            self._chooser = None

    def _chooser_of(self, rows: list[Following]) -> Chooser:
        rules = [Rules(row.suppress, timestamps=False) for row in rows]
        return Chooser(rules, self._vocabulary, self._network.kernels.logsumexp)
