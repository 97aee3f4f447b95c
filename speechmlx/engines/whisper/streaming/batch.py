"""`BatchedStreaming` for `Listen`: live streams take turns at the encoder and are decoded in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.decoding.kv_cache import BatchCache
from speechmlx.engines.whisper.decoding.prefill import prefill
from speechmlx.engines.whisper.decoding.sampling import Chooser, SamplingRules, trace
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.seat_memory import SeatClaims
from speechmlx.engines.whisper.streaming.alignatt import LiveSequence
from speechmlx.engines.whisper.streaming.attention import AttentionTracker
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.types import Command, Event, Listen


class LiveBatch:
    """The live streams of one model. At most `max_batch` sequences are decoded at a time; more wait for a seat.

    Sequences are the rows of the batch, in seats 0, 1, ...; a sequence leaves its seat when it is finished.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, heads: Heads, seats: SeatClaims) -> None:
        self._seats = seats
        self.max_batch = max_batch = seats.sizes.most
        self._open = 0
        self._network = network
        self._vocabulary = vocabulary
        self._heads = heads
        self._cache = BatchCache(network.dims, max_batch, network.dtype)
        self._rows: list[LiveSequence] = []
        self._chooser: Chooser | None = None
        self._attention: AttentionTracker | None = None
        """Of the rows; None without any."""
        self._blocks = StepSize(1, 1, network.dims.n_audio_layer)
        """Encoder blocks that a step evaluates together."""

    @property
    def held(self) -> int:
        """Bytes of the keys and values of all seats, and of the audio of streams without one, at most."""
        return self._cache.nbytes + (self._open - len(self._rows)) * self._seats.sizes.live_audio

    def begin(self, request: Listen) -> LiveStream:
        """Raises BadRequest and Unsupported, and Busy where others hold the memory for its seat."""
        stream = LiveStream(self._network, self._vocabulary, request, self._blocks)
        self._seats.begin_stream()
        self._open += 1
        return stream

    def feed(self, state: LiveStream, command: Command) -> None:
        state.feed(command)

    def step(self, states: Sequence[LiveStream]) -> list[list[Event | Exception]]:
        """Do the next piece of work of the first stream.

        When that is a token, every seated sequence gets one, and every stream in `states` goes on whose sequence ended
        with it. A stream encodes in its own turns only.
        """
        first, events = states[0], list[Event | Exception]()
        sequence = first.sequence
        if sequence is None or sequence.finished:
            events = _advance(first) if first.busy else []
        elif sequence in self._rows or len(self._rows) == self.max_batch:
            self._decode()
        else:
            self._seat(sequence)
        self._seats.streams_hold = self.held
        return [[*(events if state is first else ()), *_resume(state)] for state in states]

    def end(self, state: LiveStream) -> None:
        if state.sequence is not None:
            self._leave(state.sequence)
        state.close()
        self._open -= 1
        self._seats.streams_hold = self.held
        self._seats.end_stream()

    def _seat(self, row: LiveSequence) -> None:
        """Read the prompt of a sequence and choose its first token. It takes a seat unless that token ends it."""
        read = prefill(self._network, self._vocabulary, [row.prompt], row.cross, look=self._heads)
        token, logprob, _ = self._chooser_of([row]).choose(read.logits, trace([[]], self._vocabulary), first=True)
        attention = AttentionTracker(mx.concatenate(read.looked, axis=1), self._network.kernels.compiles)
        (taken,) = _read(token, logprob, attention.places(), read.no_speech)
        row.no_speech = taken[3]
        row.take(int(taken[0]), taken[1], int(taken[2]))
        if not row.finished:
            seat = self._cache.take(row.cross)
            self._cache.begin(seat, read.pairs, len(row.prompt))
            self._rows.append(row)
            self._chooser = None
            if self._attention is None:
                self._attention = attention
            else:
                self._attention.join(attention)
        row.cross = ()

    def _decode(self) -> None:
        """Decode one token for every seated sequence."""
        rows, cache, decoder, attention = self._rows, self._cache, self._network.decoder, self._attention
        assert attention is not None
        if self._chooser is None:
            self._chooser = self._chooser_of(rows)
        cache.begin_step()
        so_far = trace([row.tokens for row in rows], self._vocabulary)
        positions = mx.array(np.array(cache.lengths, np.int32) - 1)[:, None]
        cross, masks = cache.cross(), (cache.mask(), cache.cross_mask())
        hidden, looked = decoder(so_far.last[:, None], positions, cache, cross, *masks, look=self._heads)
        token, logprob, _ = self._chooser.choose(decoder.logits(hidden[:, -1]), so_far, first=False)
        attention.add(mx.concatenate(looked, axis=1)[:, :, 0])
        for row, (value, chance, place) in zip(rows, _read(token, logprob, attention.places()), strict=True):
            row.take(int(value), chance, int(place))
        for row in [row for row in rows if row.finished]:
            self._leave(row)

    def _leave(self, row: LiveSequence) -> None:
        """Free the seat of a sequence, if it has one; the last sequence takes it over."""
        if row in self._rows:
            index = self._rows.index(row)
            self._cache.leave(index, wipe=row.failed)
            if self._cache.rows and self._attention is not None:
                self._attention.leave(index)
            else:
                self._attention = None
            last = self._rows.pop()
            if last is not row:
                self._rows[index] = last
            self._chooser = None

    def _chooser_of(self, rows: list[LiveSequence]) -> Chooser:
        rules = [SamplingRules(row.suppress, timestamps=False) for row in rows]
        return Chooser(rules, self._vocabulary, self._network.kernels)


def _resume(state: LiveStream) -> list[Event | Exception]:
    """Let a stream go on whose sequence is finished: the words of its pass come out."""
    return _advance(state) if state.sequence is not None and state.sequence.finished else []


def _read(*columns: mx.array) -> list[list[float]]:
    """The rows of `columns` [rows] each, in one read from the device. Token ids are below 2**24: float32 is exact."""
    rows: list[list[float]] = np.array(mx.stack([column.astype(mx.float32) for column in columns], axis=1)).tolist()
    return rows


def _advance(state: LiveStream) -> list[Event | Exception]:
    """Do a stream's next piece of work. Numbers that are not finite end this stream alone."""
    try:
        return [*state.advance()]
    except NotFinite as error:
        return [error]
