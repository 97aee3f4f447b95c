"""What the structure of a text is made of: blocks that are read one by one, and notes on how parts of them are said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechmlx.reading.mapped import MappedText
from speechmlx.reading.tokens import Token

BlockKind = Literal["paragraph", "heading", "item", "quote", "row", "code"]


@dataclass(frozen=True, slots=True)
class Given:
    """`tokens` are said for input[start:end], whatever its text is."""

    start: int
    end: int
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class SaidAs:
    """The text at input[start:end] is of a class that its writer named (SSML's say-as)."""

    start: int
    end: int
    interpret: str
    """One of INTERPRETATIONS in speechmlx.reading.ssml."""
    form: str = ""
    """Order of a date's parts: "mdy", "ymd", ...; "" where it was not given."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the words of input[start:end] are said."""

    start: int
    end: int
    rate: float = 1.0
    """Times the rate around it."""
    emphasis: int = 0
    """-1 reduced, 1 strong."""


Note = Given | SaidAs | Manner


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph, heading, list item, ...: text without marks, that is read as a whole and ends with a pause."""

    kind: BlockKind
    text: MappedText
    notes: tuple[Note, ...] = ()
    """In the order of their places; a `Manner` comes after the others, and may reach beyond the block."""
