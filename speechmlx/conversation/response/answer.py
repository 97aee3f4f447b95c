"""An answer while it is made: what it answers, and the pieces that it consists of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import Answering
from speechmlx.errors import BadRequest
from speechmlx.types import Chunk, FunctionCall, TextDelta, Usage, WordTimes


@dataclass(frozen=True)
class ClauseStarted:
    """The chunks that follow are the audio of `text`."""

    text: str


@dataclass(frozen=True)
class ClauseGrown:
    """The clause that began last goes on with `text`, which is spoken while it is written."""

    text: str


@dataclass(frozen=True)
class ClauseEnded:
    """The audio of the clause is complete. `refused`: why it, or some of it, could not be spoken."""

    refused: BadRequest | None = None


Piece = TextDelta | ClauseStarted | ClauseGrown | ClauseEnded | WordTimes | Chunk | FunctionCall | Usage
"""What an answer consists of, in the order in which it is made. Times and places of words are those of the clause."""


@dataclass(frozen=True)
class ResponseInput:
    """What is answered, and how."""

    items: tuple[Item, ...]
    answering: Answering
    model: str | None = None
    """The language model that the client named."""


@dataclass(frozen=True)
class Answer:
    """An answer that is being made. Close `pieces` (`contextlib.aclosing`) to stop every job of it."""

    pieces: AsyncGenerator[Piece, None]
    audio_in: float = 0.0
    """Seconds of audio in what it answers."""
