"""The engine: many requests' windows encoded in slices and decoded in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.utils
import numpy as np

from speechmlx.engines.whisper.decoding.beam import BeamSearch
from speechmlx.engines.whisper.decoding.greedy import GreedyBatch, TokenSequence
from speechmlx.engines.whisper.decoding.language import detect_language
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.mel import FRAMES_PER_SECOND
from speechmlx.engines.whisper.model.network import Network, Pair, TextDecoder
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.attempt import choose_attempt
from speechmlx.engines.whisper.offline.transcription import Lane, Transcription
from speechmlx.engines.whisper.offline.word_timing import align, looks
from speechmlx.engines.whisper.streaming.batch import LiveBatch
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.errors import Unsupported
from speechmlx.types import Command, Event, Listen, Request, Transcribe

_Heard = tuple[TextDecoder, Vocabulary, Heads, Sequence[Pair], Sequence[int], Sequence[int], int]

MAX_BATCH = 8
SEATS_OF_A_BEAM = 2
"""What a window decoded by beam search counts for."""
GPU_WINDOWS = 4
"""Windows a GPU encodes at once; a CPU has nothing to gain from more than one."""


@dataclass
class _Encoding:
    """Windows on their way through the encoder: `x` after `blocks` blocks."""

    lanes: list[Lane]
    x: mx.array
    blocks: int = 0


class Whisper:
    """`Batched` for `Transcribe`, `BatchedStreaming` for `Listen`.

    `step` does one of: a slice of spectrogram or encoder, a first or a next token.
    """

    max_batch = MAX_BATCH

    def __init__(self, network: Network, heads: Heads, device: str) -> None:
        self.network = network
        self.vocabulary = Vocabulary(network.dims.n_vocab)
        self.heads = heads
        self._together = 1 if device == "cpu" else GPU_WINDOWS
        width = network.dims.n_audio_state
        self._blocks = 1 if device == "cpu" else max(1, int(3 * (1280 / width) ** 2))
        self._batch = GreedyBatch(network, self.vocabulary, MAX_BATCH)
        self.live = LiveBatch(network, self.vocabulary, heads, MAX_BATCH)
        self._encoding: _Encoding | None = None
        self._encoded: list[tuple[Lane, list[Pair]]] = []
        self._searches: dict[int, BeamSearch] = {}
        """By the size of their beams."""
        self._searching: dict[TokenSequence, BeamSearch] = {}
        """Rows decoded by beam search, beside the batch."""
        self._seated: dict[TokenSequence, Lane] = {}
        self._unaligned: list[Lane] = []

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for _, array in mlx.utils.tree_flatten(self.network.parameters()))

    def begin(self, request: Request) -> Transcription | LiveStream:
        match request:
            case Transcribe():
                return Transcription(request, self.vocabulary, self.network.dims.n_mels)
            case Listen():
                return self.live.begin(request)
        raise Unsupported(f"Whisper cannot {type(request).__name__}; it can Transcribe and Listen")

    def feed(self, state: LiveStream, command: Command) -> None:
        self.live.feed(state, command)

    def step(self, states: Sequence[Transcription | LiveStream]) -> list[list[Event | Exception]]:
        live = [state for state in states if isinstance(state, LiveStream)]
        return self.live.step(live) if live else self._step([s for s in states if isinstance(s, Transcription)])

    def _step(self, states: Sequence[Transcription]) -> list[list[Event | Exception]]:
        unprepared = next((state for state in states if not state.prepared), None)
        if unprepared is not None:
            unprepared.prepare()
        elif self._unaligned:
            self._align(self._unaligned.pop())
        elif self._encoding is not None:
            self._encode_more(self._encoding)
        elif waiting := self._waiting(states):
            self._encode(waiting)
        elif self._encoded:
            self._join()
        else:
            self._decode()
        found: list[list[Event | Exception]] = []
        for state in states:
            found.append(list(state.outbox))
            state.outbox = []
        return found

    def end(self, state: Transcription | LiveStream) -> None:
        if isinstance(state, LiveStream):
            self.live.end(state)
            return
        for row, lane in list(self._seated.items()):
            if lane.owner is state:
                self._leave(row)
        self._unaligned = [lane for lane in self._unaligned if lane.owner is not state]
        self._encoded = [pair for pair in self._encoded if pair[0].owner is not state]
        if self._encoding is not None and all(lane.owner is state for lane in self._encoding.lanes):
            self._encoding = None
        state.lanes = []

    # --- windows ---

    def _waiting(self, states: Sequence[Transcription]) -> list[Lane]:
        """Lanes to encode now, those of the request that has fewest under way first."""
        free = self._batch.free - SEATS_OF_A_BEAM * len(self._searching) - len(self._encoded)
        if free <= 0:
            return []
        busy = {id(lane) for lane in (*self._seated.values(), *(lane for lane, _ in self._encoded))}
        queues = [
            (sum(id(lane) in busy for lane in state.lanes), [lane for lane in state.lanes if id(lane) not in busy])
            for state in states
        ]
        order = [
            (under_way + place, lane)
            for under_way, lanes in queues
            for place, lane in enumerate(lane for lane in lanes if not lane.done)
        ]
        order.sort(key=lambda pair: pair[0])
        alike = [lane for _, lane in order if lane.frames == order[0][1].frames]
        return alike[: min(free, self._together)]

    def _encode(self, lanes: list[Lane]) -> None:
        mel = mx.array(np.stack([lane.owner.mel_of(lane) for lane in lanes])).astype(self.network.dtype)
        self._encoding = _Encoding(lanes, self.network.encoder.start(mel))
        mx.eval(self._encoding.x)

    def _encode_more(self, encoding: _Encoding) -> None:
        encoder = self.network.encoder
        for _ in range(self._blocks):
            if encoding.blocks < len(encoder.blocks):
                encoding.x = encoder.block(encoding.blocks, encoding.x)
                encoding.blocks += 1
        mx.eval(encoding.x)
        if encoding.blocks == len(encoder.blocks):
            self._encoding = None
            cross = self.network.cross(encoder.ln_post(encoding.x))
            mx.eval(cross)
            for index, lane in enumerate(encoding.lanes):
                one = slice(index, index + 1)
                if lane.owner.lanes:
                    self._encoded.append((lane, [(k[one], v[one]) for k, v in cross]))

    def _join(self) -> None:
        rows = []
        for lane, cross in self._encoded:
            owner = lane.owner
            if owner.language is None:
                owner.speaks(*detect_language(self.network, self.vocabulary, cross, owner.candidates))
            prompt, given = owner.prompt(lane)
            limit = min(lane.most_tokens, self.network.dims.n_text_ctx - len(prompt))
            lane.row = row = TokenSequence(prompt, owner.rules(0), cross, limit, given)
            self._seated[row] = lane
            size = owner.request.beam_size
            if size > 1 and row.rules.temperature == 0:
                if size not in self._searches:
                    self._searches[size] = BeamSearch(self.network, self.vocabulary, size, MAX_BATCH)
                self._searching[row] = self._searches[size]
                self._searching[row].join(row)
            else:
                rows.append(row)
        self._encoded = []
        rows.sort(key=lambda row: (len(row.prompt), row.given))
        self._batch.join(rows)
        for row in rows:
            row.finished |= self._seated[row].vain
        self._settle()

    def _decode(self) -> None:
        self._batch.step()
        for search in self._searches.values():
            search.step()
        self._settle()

    def _settle(self) -> None:
        """Send finished rows on: to the next temperature, or out."""
        for row in [row for row in (*self._batch.rows, *self._searching) if row.finished]:
            lane = self._seated[row]
            if lane in self._unaligned:
                continue
            attempt = lane.owner.judge(lane, self._places(lane) if lane.owner.doubts(lane) else ())
            if attempt is not None:
                self._again(row, lane.owner.rules(attempt))
            elif lane.owner.request.words:
                self._unaligned.append(lane)
            else:
                self._leave(row)
                lane.owner.conclude(lane)

    def _again(self, row: TokenSequence, rules: SamplingRules) -> None:
        if self._searching.pop(row, None) is None:
            self._batch.again(row, rules)
        else:
            row.restart(rules)
            self._batch.join([row])

    def _places(self, lane: Lane) -> list[int]:
        """Where in its window each token of the text of a finished row was heard, in places of 20 ms."""
        assert lane.row is not None
        return looks(*self._audio_and_text(lane, lane.row.tokens)).argmax(axis=-1)[:-1].tolist()

    def _align(self, lane: Lane) -> None:
        """Time the words of a decided window, and let it go."""
        owner, row = lane.owner, lane.row
        assert row is not None and owner.language is not None
        after = lane.ended - lane.window[0] / FRAMES_PER_SECOND
        given = self._audio_and_text(lane, choose_attempt(lane.attempts).tokens)
        words = align(*given, owner.language, max(0.0, after))
        self._leave(row)
        owner.conclude(lane, words)

    def _audio_and_text(self, lane: Lane, tokens: Sequence[int]) -> _Heard:
        """What `looks` and `align` are given first, for the seated row of `lane` and `tokens` of its window."""
        owner, row = lane.owner, lane.row
        assert row is not None and owner.language is not None
        start, end = lane.window
        began = self.vocabulary.start(owner.language, owner.request.task)
        cross = row.cross or self._batch.cross(row)
        text = owner.text_tokens(tokens)
        return self.network.decoder, self.vocabulary, self.heads, cross, began, text, end - start

    def _leave(self, row: TokenSequence) -> None:
        search = self._searching.pop(row, None)
        if search is None:
            self._batch.leave(row)
        else:
            search.leave(row)
        del self._seated[row]
