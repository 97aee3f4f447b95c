"""ConversationStart: with what a conversation goes on that another server has begun."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.conversation.events import OutputDone, ResponseDone, TranscriptFailed
from speechmlx.conversation.items.item import Item


@dataclass(frozen=True)
class ConversationStart:
    """`items`: what it has, in order. `ends`: what the client is told first, of what was under way at that server."""

    items: tuple[Item, ...] = ()
    ends: tuple[OutputDone | ResponseDone | TranscriptFailed, ...] = ()
    unanswered: str | None = None
    """The last turn, where its answer had not begun. It is answered anew if turns are answered at all."""


NEW = ConversationStart()
