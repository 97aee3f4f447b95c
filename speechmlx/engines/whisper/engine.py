"""The engine: the network of one model, and its two batches, one of recordings and one of live streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from speechmlx.engines import Room
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.batch import WindowBatch
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.engines.whisper.seat_memory import SeatClaims, SeatSizes
from speechmlx.engines.whisper.streaming.batch import LiveBatch
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.errors import Unsupported
from speechmlx.types import Command, Event, Listen, Request, Transcribe

MAX_BATCH = 8
"""Windows, and live streams, that are decoded together."""


class Whisper:
    """`Batched` for `Transcribe`, `BatchedStreaming` for `Listen`. One step gets states of one of the two kinds."""

    max_batch = MAX_BATCH

    def __init__(self, network: Network, heads: Heads, device: str) -> None:
        self.network = network
        self.vocabulary = Vocabulary(network.dims.n_vocab)
        self.seats = SeatClaims(SeatSizes.of(network, MAX_BATCH))
        self.offline = WindowBatch(network, self.vocabulary, heads, device, self.seats)
        self.live = LiveBatch(network, self.vocabulary, heads, self.seats)

    @property
    def aim(self) -> float:
        """Seconds that a step of recordings should take. Steps of live streams are short anyway."""
        return self.offline.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self.offline.aim = seconds

    @property
    def nbytes(self) -> int:
        return bytes_of(self.network)

    @property
    def room(self) -> Room:
        """What memory the seats may have."""
        return self.seats.room

    @room.setter
    def room(self, room: Room) -> None:
        self.seats.room = room

    @property
    def held(self) -> int:
        """Bytes of the keys and values of all seats that requests claimed, or hold where that is more."""
        return self.seats.held

    def begin(self, request: Request) -> TranscriptionState | LiveStream:
        match request:
            case Transcribe():
                return self.offline.begin(request)
            case Listen():
                return self.live.begin(request)
        raise Unsupported(f"Whisper cannot {type(request).__name__}; it can Transcribe and Listen")

    def feed(self, state: LiveStream, command: Command) -> None:
        self.live.feed(state, command)

    def step(self, states: Sequence[TranscriptionState | LiveStream]) -> list[list[Event | Exception]]:
        if isinstance(states[0], LiveStream):
            return self.live.step(cast(Sequence[LiveStream], states))
        return self.offline.step(cast(Sequence[TranscriptionState], states))

    def end(self, state: TranscriptionState | LiveStream) -> None:
        if isinstance(state, LiveStream):
            self.live.end(state)
        else:
            self.offline.end(state)
