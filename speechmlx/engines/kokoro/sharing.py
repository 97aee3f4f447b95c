"""Several requests at once on a GPU: their texts are encoded together, and each has its turn at the vocoder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from speechmlx.engines.kokoro.encoder import TextEncoder
from speechmlx.engines.kokoro.encoding import EncodedPiece, PieceInput, encode
from speechmlx.types import Event


class SharedEncoding:
    """The encoding of the pieces that several requests wait for."""

    def __init__(self, encoder: TextEncoder, states: Sequence[SpeechState]) -> None:
        self.turn = min(state.turn for state in states)
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

    steps: Iterator[Event | None] = field(default_factory=lambda: iter(()))
    finished: bool = False
    turn: int = 0
    """Who has the least is next."""
    piece: PieceInput | None = None
    """What it waits for to be encoded."""
    encoding: SharedEncoding | None = None
    encoded: EncodedPiece | Exception | None = None

    @property
    def waits(self) -> bool:
        """Whether it can do nothing before its piece is encoded."""
        return self.piece is not None and self.encoded is None

    def leave(self) -> None:
        """It is over: what it holds is free. A shared encoding goes on for the others."""
        self.finished, self.steps = True, iter(())

    def encode(self, piece: PieceInput) -> Generator[None, None, EncodedPiece]:
        """Wait until the piece is encoded. Raises what that failed with."""
        self.piece = piece
        while self.encoded is None:
            yield
        encoded = self.encoded
        self.piece = self.encoding = self.encoded = None
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
    """Do the piece of work whose turn it is, for one request or for all that wait to be encoded; events of each."""
    found: list[list[Event | Exception]] = [[] for _ in states]
    following = 1 + max(state.turn for state in states)
    ready = [state for state in states if not state.waits]
    first = min(ready, key=lambda state: state.turn, default=None)
    waiting = [state for state in states if state.waits]
    least = min((_turn(state) for state in waiting), default=following)
    if waiting and (first is None or least <= first.turn):
        chosen = min(waiting, key=_turn)
        encoding = chosen.encoding or SharedEncoding(encoder, [state for state in waiting if state.encoding is None])
        encoding.step()
        encoding.turn = following
    elif first is not None:
        found[next(number for number, state in enumerate(states) if state is first)] = first.step()
        first.turn = following
    return found


def _turn(state: SpeechState) -> int:
    return state.turn if state.encoding is None else state.encoding.turn
