"""One request to an engine that speaks in turns: its text, which may still arrive, and the sound of what is drawn."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from speechmlx.engines.parts.speech_engine import PiecedRequest
from speechmlx.reading import ssml
from speechmlx.reading.sentences import finished as whole_sentences

if TYPE_CHECKING:
    from speechmlx.types import Samples

Piece = TypeVar("Piece")
Drawn = TypeVar("Drawn")
DrawnIn = TypeVar("DrawnIn", contravariant=True)


class DrawnSound(Protocol[DrawnIn]):
    """What makes the sound of a piece of text while its speech is being drawn."""

    def is_due(self, count: int, is_whole: bool) -> bool:
        """Whether there is work, with `count` tokens: all of them, where `is_whole`."""

    def piece(self, tokens: Sequence[DrawnIn], is_whole: bool) -> Generator[None, None, Samples]:
        """The samples of the next piece, in bounded steps. `tokens`: all that are there."""


class SoundingPiece(Generic[Drawn]):
    """A piece of text, whose sound is computed in steps."""

    sound: DrawnSound[Drawn]
    _steps: Generator[None, None, Samples] | None = None

    def _drawn(self) -> tuple[Sequence[Drawn], bool]:
        """What of its speech is there, and whether that is all."""
        raise NotImplementedError

    @property
    def sounds(self) -> bool:
        """Whether there is work on its sound."""
        tokens, is_whole = self._drawn()
        return self._steps is not None or self.sound.is_due(len(tokens), is_whole)

    def step(self) -> Samples | None:
        """Do one bounded piece of work on its sound. Returns the samples that it completes, if any."""
        if self._steps is None:
            tokens, is_whole = self._drawn()
            self._steps = self.sound.piece(tuple(tokens), is_whole)
        try:
            next(self._steps)
        except StopIteration as end:
            self._steps = None
            samples: Samples = end.value
            return samples
        return None


@dataclass(eq=False, kw_only=True)
class TurnSpeech(PiecedRequest[Iterator[Piece]], Generic[Piece]):
    """A request in the batch. Its text is read as it is needed."""

    is_next: bool = True
    """Whether its other work is due before the next draw."""
    served: int = 0
    """Which of all pieces of other work was its last one."""
    begun: int = 0
    """Pieces of text."""

    @property
    def draws(self) -> bool:
        """Whether something of it can be drawn."""
        raise NotImplementedError

    @property
    def has_work(self) -> bool:
        """Whether there is other work on it."""
        raise NotImplementedError

    def feed(self, text: str) -> None:
        """More of the text; it is said from the next end of a sentence on."""
        self._rest += text
        if not ssml.is_ssml(self._rest):  # one whole, which its end says
            sentences, self._rest = whole_sentences(self._rest)
            if sentences:
                sentences[0] = self._close(sentences[0])
                self._coming.append(self.cut("".join(sentences)))

    def end(self, text: str = "") -> None:
        """The rest of the text; no more comes."""
        self._coming.append(self.cut(self._close(self._rest + text)))
        self._rest, self.is_ended = "", True

    def _close(self, sentence: str) -> str:
        """A sentence is whole. Returns what of it is still to be said."""
        return sentence

    def next_piece(self) -> Piece | None:
        """The next piece of the text; None: there is none yet. Raises BadRequest for a text that cannot be read."""
        while self._coming:
            if (piece := next(self._coming[0], None)) is not None:
                return piece
            self._coming.popleft()
        return None
