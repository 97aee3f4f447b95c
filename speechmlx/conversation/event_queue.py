"""EventQueue: the events of a session that its client has not taken, in order, and how many may wait."""

from __future__ import annotations

from speechmlx.conversation.events import Event
from speechmlx.runtime.channel import Channel

ANSWER_MARK = 32
"""While this many events wait, a response gives no more audio."""
COMMAND_MARK = 1024
"""While this many events wait, no further command is carried out."""


class EventQueue(Channel[Event]):
    """A channel without a capacity: `put` never waits, `room(mark)` does."""
