"""Several requests at once on a GPU: their texts are encoded together, and the vocoder speaks one at a time.

A batch of pieces of the same length costs the vocoder what a piece as long as all of them does, and that is hardly less
than they cost one by one: docs/benchmarks.md. Padding would cost more.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from speechmlx.engines.kokoro.encoder import TextEncoder
from speechmlx.engines.kokoro.encoding import EncodedPiece, PieceInput, encode
from speechmlx.types import Event, Priority


class SharedEncoding:
    """The encoding of the pieces that several requests wait for."""

    def __init__(self, encoder: TextEncoder, states: Sequence[SpeechState]) -> None:
        self._states = states
        self._steps = encode(encoder, [state.piece for state in states if state.piece is not None])
        for state in states:
            state.encoding = self

    def step(self) -> None:
        """Do one bounded piece of work. With the last, or an error, the requests go on."""
        try:
            next(self._steps)
        except StopIteration as end:
            for state, encoded in zip(self._states, end.value, strict=True):
                state.encoded = encoded
        except Exception as error:
            for state in self._states:
                state.encoded = error


@dataclass
class SpeechState:
    """One request in a batch."""

    priority: Priority
    steps: Iterator[Event | None] = field(default_factory=lambda: iter(()))
    finished: bool = False
    is_sounding: bool = False
    """The vocoder is at its piece."""
    piece: PieceInput | None = None
    """What it waits for to be encoded."""
    encoding: SharedEncoding | None = None
    encoded: EncodedPiece | Exception | None = None

    @property
    def waits(self) -> bool:
        """Whether it can do nothing before its piece is encoded."""
        return self.piece is not None and self.encoded is None

    @property
    def reads(self) -> bool:
        """Whether its next step is short: it reads its text up to the next piece."""
        return self.piece is None and not self.is_sounding

    def leave(self) -> None:
        """It is over: what it holds is free. A shared encoding goes on for the others."""
        self.finished, self.steps = True, iter(())

    def encode(self, piece: PieceInput) -> Generator[None, None, EncodedPiece]:
        """Wait until the piece is encoded. Raises what that failed with."""
        self.piece, self.is_sounding = piece, False
        while self.encoded is None:
            yield
        encoded = self.encoded
        self.piece = self.encoding = self.encoded = None
        self.is_sounding = True
        if isinstance(encoded, Exception):
            raise encoded
        return encoded

    def step(self) -> list[Event | Exception]:
        """Do one bounded piece of work; its events."""
        found: list[Event | Exception] = []
        try:
            while (event := next(self.steps)) is not None:
                found.append(event)
        except StopIteration:
            self.finished = True
        except Exception as error:
            self.finished = True
            found.append(error)
        return found


def step(encoder: TextEncoder, states: Sequence[SpeechState]) -> list[list[Event | Exception]]:
    """Do one bounded piece of work for the first request, whose turn it is; the events of each.

    Where it has a piece to encode, the others of its priority that have one, or are about to, take part.
    """
    found: list[list[Event | Exception]] = [[] for _ in states]
    first, *others = states
    if not first.waits:
        found[0] = first.step()
        return found
    if first.encoding is None:
        for number, state in enumerate(others, 1):
            if state.reads and state.priority == first.priority:
                found[number] = state.step()
        alike = (state for state in others if state.priority == first.priority)
        first.encoding = SharedEncoding(encoder, [first, *(one for one in alike if one.waits and not one.encoding)])
    first.encoding.step()
    return found
