"""What a session has said and its client has not taken yet: in order, with a mark over which work waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from speechmlx.conversation.events import Event

ANSWER_MARK = 32
"""Events waiting, from which on an answer under way waits for its listener."""
COMMAND_MARK = 1024
"""Events waiting, from which on nothing more is read from the client."""


class EventQueue:
    """A queue with one reader. `put` never waits; `room` does."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()

    def close(self) -> None:
        """Nothing more comes: iteration ends after what is left."""
        self._closed = True
        self._news.set()

    def drop(self, unwanted: Callable[[Event], bool]) -> list[Event]:
        """Take out, unsent, what is unwanted now; returns it."""
        dropped = [event for event in self._events if unwanted(event)]
        if dropped:
            self._events = deque(event for event in self._events if not unwanted(event))
            self._taken.set()
        return dropped

    async def room(self, mark: int) -> None:
        """Wait until fewer than `mark` events are left."""
        while len(self._events) >= mark and not self._closed:
            self._taken.clear()
            await self._taken.wait()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while not self._events:
                if self._closed:
                    return
                self._news.clear()
                await self._news.wait()
            event = self._events.popleft()
            self._taken.set()
            yield event
