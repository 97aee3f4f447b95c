"""Channel: a queue between tasks of one event loop that ends, bounds what waits in it and passes errors on."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue with any number of writers and one reader, who iterates over it with `async for`.

    `capacity` bounds the total size of the waiting items; writers that use `send` wait for room. `size` gives the size
    of an item, by default 1.
    """

    def __init__(self, capacity: float = math.inf, size: Callable[[T], float] = lambda item: 1) -> None:
        self.waiting: float = 0
        """Total size of the items that the reader has not taken."""
        self.ended = False
        self._capacity = capacity
        self._size = size
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()

    def put(self, item: T) -> None:
        """Add an item, however many wait. Does nothing after the end."""
        if self.ended:
            return
        self._items.append(item)
        self.waiting += self._size(item)
        self._readable.set()

    async def send(self, item: T) -> None:
        """Wait until less than `capacity` waits, then add an item. Does nothing after the end."""
        await self.room()
        self.put(item)

    async def room(self, limit: float | None = None) -> None:
        """Wait until less than `limit` (by default `capacity`) waits, or until the end."""
        limit = self._capacity if limit is None else limit
        while self.waiting >= limit and not self.ended:
            self._writable.clear()
            await self._writable.wait()

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Remove the waiting items for which `unwanted` is true; return them in order."""
        dropped = [item for item in self._items if unwanted(item)]
        if dropped:
            self._items = deque(item for item in self._items if not unwanted(item))
            self.waiting = sum(map(self._size, self._items))
            self._writable.set()
        return dropped

    def clear(self) -> None:
        """Forget the waiting items."""
        self.drop(lambda item: True)

    def end(self, error: BaseException | None = None) -> None:
        """End the channel. The reader gets the items that wait, then `error` or the end. Only the first call counts."""
        if self.ended:
            return
        self.ended = True
        self._error = error
        self._readable.set()
        self._writable.set()

    def end_after(self, task: asyncio.Task[Any]) -> None:
        """End the channel when `task` is done: with its error, or CancelledError where it was cancelled."""

        def done(task: asyncio.Task[Any]) -> None:
            self.end(asyncio.CancelledError() if task.cancelled() else task.exception())

        task.add_done_callback(done)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self.ended:
                raise StopAsyncIteration if self._error is None else self._error
            self._readable.clear()
            await self._readable.wait()
        item = self._items.popleft()
        self.waiting -= self._size(item)
        self._writable.set()
        return item
