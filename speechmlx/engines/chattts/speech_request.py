"""One request: its text, which may still be arriving, and the pieces of it that are on their way to sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from speechmlx.engines.chattts.manner import ChatManner
from speechmlx.engines.chattts.sequences import ChatSequence
from speechmlx.engines.chattts.sound import ChatSound
from speechmlx.engines.parts.turn_speech import SoundingPiece, TurnSpeech


@dataclass(eq=False)
class ChatPiece(SoundingPiece[mx.array]):
    """A piece of text: it is refined, drawn as codes, and its sound is given, the last two at once."""

    text: str
    number: int
    """Of the request's pieces."""
    sound: ChatSound
    sequence: ChatSequence
    """Of refined text, or of speech."""

    @property
    def draws(self) -> bool:
        """Whether its next token or frame can be drawn."""
        return not self.sequence.is_reading and not self.sequence.is_over

    @property
    def is_over(self) -> bool:
        """Whether all of its sound was given."""
        return self.sound.finished and self._steps is None

    def _drawn(self) -> tuple[Sequence[mx.array], bool]:
        speech = self.sequence
        return (speech.states[: len(speech.drawn)], speech.is_over) if speech.is_speech else ((), False)


@dataclass(eq=False)
class ChatSpeech(TurnSpeech[str | float]):
    """A request in the batch."""

    manner: ChatManner
    open: deque[ChatPiece | float] = field(default_factory=deque)
    """Pieces that are begun, and seconds of silence, in order: the first one is heard."""

    def cut(self, text: str) -> Iterator[str | float]:
        return self.manner.pieces(text)

    @property
    def pieces(self) -> list[ChatPiece]:
        """Those that are begun."""
        return [piece for piece in self.open if isinstance(piece, ChatPiece)]

    @property
    def draws(self) -> bool:
        return any(piece.draws for piece in self.pieces)

    @property
    def has_work(self) -> bool:
        return bool(self.open) and (
            isinstance(self.open[0], float)
            or self.open[0].sounds
            or any(piece.sequence.is_reading for piece in self.pieces)
        )

    @property
    def is_quiet(self) -> bool:
        return not self.open
