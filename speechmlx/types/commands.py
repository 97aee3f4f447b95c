"""Commands: what a running job is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.types.values import Samples


@dataclass(frozen=True, slots=True)
class Feed:
    """The next `samples` [n] of a streaming request, at the model's rate."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class FeedText:
    """The next piece of a streaming request's text; the pieces are joined as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class FlushText:
    """Say the text so far to its end, however it goes on; the answer is a `TextFlushed`."""


@dataclass(frozen=True, slots=True)
class End:
    """No more input: finish what was fed."""


Command = Feed | FeedText | FlushText | End
