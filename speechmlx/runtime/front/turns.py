"""Turns: a few places for work, which clients that wait get in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """`places` for work at once. Whoever waits is served after one piece of work of each other client."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """By client, who waits; the next client is the first."""

    @asynccontextmanager
    async def turn(self, client: Hashable) -> AsyncGenerator[None, None]:
        """A place for one piece of work of `client`; "" is a client of its own."""
        await self._take(client or object())
        try:
            yield
        finally:
            self._give()

    async def _take(self, client: Hashable) -> None:
        if self._free:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give()  # it came just now
            raise

    def _give(self) -> None:
        """Pass a place on to the client that waits longest for its turn."""
        while self._waiting:
            client = next(iter(self._waiting))
            queue = self._waiting.pop(client)
            place = queue.popleft()
            if queue:
                self._waiting[client] = queue  # last now
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
