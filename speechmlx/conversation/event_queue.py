"""EventQueue: the events of a session that its client has not taken, in order, and how many may wait."""

from __future__ import annotations

from speechmlx.conversation.events import Event, ItemAdded, ItemRetrieved, OutputDone
from speechmlx.runtime.channel import Channel

ANSWER_MARK = 32
"""While this many events wait, a response gives no more audio."""
COMMAND_MARK = 1024
"""While this many events wait, no further command is carried out."""
COUNTED = 64 * 1024
"""Bytes of an item that count as one event more."""


class EventQueue(Channel[Event]):
    """A channel without a capacity: `put` never waits, `room(mark)` does. An event with a large item counts as more."""

    def __init__(self) -> None:
        super().__init__(size=_weight)


def _weight(event: Event) -> float:
    if not isinstance(event, ItemAdded | ItemRetrieved | OutputDone):
        return 1
    audio = sum(len(part.pcm16 or b"") for part in event.item.parts)
    return 1 + (audio + event.item.text_size) // COUNTED
