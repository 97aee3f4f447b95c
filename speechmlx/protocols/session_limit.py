"""How many live sessions may be open at once: one count for every wire."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from speechmlx.errors import Busy
from speechmlx.runtime.front.client import current, share
from speechmlx.runtime.front.runtime import Runtime

LEAVING = 2.0
"""Seconds that a session has to end after its client left: the next client waits so long for its place."""
COLLECT = 5.0
"""Seconds from the end of a session to the collection of its small parts; the large ones go at once."""


class SessionLimit:
    """How many live sessions may be open at once, over all wires. It counts them in the runtime's metrics.

    One address, or one web page, has no more than half of the places.
    """

    def __init__(self, limit: int, runtime: Runtime) -> None:
        self.limit = limit
        self._free = asyncio.Semaphore(limit)
        self._free_by_holder: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._metrics = runtime.metrics
        self._collecting: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def session(self, wire: str = "openai_realtime") -> AsyncGenerator[None, None]:
        """A place for one session on `wire`. Raises Busy when none gets free within LEAVING seconds."""
        holder = current.get().holder
        mine = self._free_by_holder.setdefault(holder, asyncio.Semaphore(share(self.limit))) if holder else None
        async with contextlib.AsyncExitStack() as stack:
            if mine is not None:
                await self._place(
                    stack, mine, f"{share(self.limit)} live sessions of {holder} are open, its share of the limit"
                )
            await self._place(stack, self._free, f"{self.limit} live sessions are open, which is the limit")
            self._metrics.sessions += 1
            self._metrics.wire_sessions[wire] += 1
            try:
                yield
            finally:
                self._metrics.sessions -= 1
                self._metrics.wire_sessions[wire] -= 1
                self._collect_soon()

    async def _place(self, stack: contextlib.AsyncExitStack, places: asyncio.Semaphore, full: str) -> None:
        """Take a place until `stack` closes. Raises Busy with the sentence `full`."""
        try:
            async with asyncio.timeout(LEAVING):
                await places.acquire()
        except TimeoutError:
            raise Busy(f"{full} (max_sessions); try again later") from None
        stack.callback(places.release)

    def _collect_soon(self) -> None:
        """Free what is left of ended sessions: their parts refer to each other, and the collector may not come by."""
        loop = asyncio.get_running_loop()
        if self._collecting is None or self._collecting.when() < loop.time():
            self._collecting = loop.call_later(COLLECT, gc.collect)
