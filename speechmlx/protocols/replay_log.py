"""What a live session has said to its client, numbered, as far back as a bound allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from speechmlx.protocols.ws import Answer, Close

MAX_SENT = 2 * 1024 * 1024
"""Bytes or characters of sent messages that are kept, to be sent again."""
OVERHEAD = 256
"""What a message costs besides its content."""


class ReplayLog:
    """Messages have numbers from 1 on. The oldest sent ones are forgotten; what was not sent is always kept.

    `tail`: the last ones of `sent` that another log had.
    """

    def __init__(self, max_sent: int = MAX_SENT, sent: int = 0, tail: Sequence[Answer] = ()) -> None:
        self.sent = sent
        """Number of the last message that the connection has taken. Going back makes it send again."""
        self.begun = sent
        """Highest number of a message that any connection began to send."""
        self.size = 0
        """Of all messages that are kept."""
        self.unsent = 0
        """Of those that are not sent."""
        self._max_sent = max_sent
        self._first = 1 + sent - len(tail)
        """Number of the oldest message that is kept."""
        self._messages: deque[Answer] = deque(tail)
        self.size = sum(map(_size, tail))

    @property
    def last(self) -> int:
        """Number of the newest message; 0 for none."""
        return self._first + len(self._messages) - 1

    @property
    def kept(self) -> Sequence[Answer]:
        """The messages that are kept, in order."""
        return self._messages

    def skip_to(self, number: int) -> None:
        """Go on after a message that another log had. What is kept is forgotten."""
        self._messages.clear()
        self.size = self.unsent = 0
        self.sent = self.begun = number
        self._first = number + 1

    def add(self, message: Answer) -> int:
        """Add a message; returns its number."""
        self._messages.append(message)
        self.size += _size(message)
        self.unsent += _size(message)
        self._forget()
        return self.last

    def next(self) -> Answer | None:
        """The message to send now; None: all are sent."""
        if self.sent == self.last:
            return None
        self.begun = max(self.begun, self.sent + 1)
        return self._messages[self.sent + 1 - self._first]

    def taken(self) -> None:
        """The connection has taken that message."""
        self.unsent -= _size(self._messages[self.sent + 1 - self._first])
        self.sent += 1
        self._forget()

    def back_to(self, number: int) -> bool:
        """Go on after the message `number`. False: no client can have that one, or what follows is forgotten."""
        if not self._first - 1 <= number <= self.begun:
            return False
        self.sent = number
        self.unsent = sum(_size(message) for message in islice(self._messages, number + 1 - self._first, None))
        return True

    def number_of(self, matches: Callable[[Answer], bool]) -> int | None:
        """Number of the newest message that matches and may have been sent."""
        for place in range(len(self._messages) - 1, -1, -1):
            if self._first + place <= self.begun and matches(self._messages[place]):
                return self._first + place
        return None

    def _forget(self) -> None:
        while self.size > self._max_sent and self._first <= self.sent:
            self.size -= _size(self._messages.popleft())
            self._first += 1


def _size(message: Answer) -> int:
    return OVERHEAD + (0 if isinstance(message, Close) else len(message))
