"""How many live sessions may be open at once: one count for every wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from speechmlx.errors import Busy
from speechmlx.runtime.front.runtime import Runtime

LEAVING = 2.0
"""Seconds that a session has to end after its client left: the next client waits so long for its place."""


class SessionLimit:
    """How many live sessions may be open at once, over all wires. It counts them in the runtime's metrics."""

    def __init__(self, limit: int, runtime: Runtime) -> None:
        self.limit = limit
        self._free = asyncio.Semaphore(limit)
        self._metrics = runtime.metrics

    @asynccontextmanager
    async def session(self, wire: str = "openai_realtime") -> AsyncGenerator[None, None]:
        """A place for one session on `wire`. Raises Busy when none gets free within LEAVING seconds."""
        try:
            async with asyncio.timeout(LEAVING):
                await self._free.acquire()
        except TimeoutError:
            raise Busy(
                f"{self.limit} live sessions are open, which is the limit (max_sessions); try again later"
            ) from None
        self._metrics.sessions += 1
        self._metrics.wire_sessions[wire] += 1
        try:
            yield
        finally:
            self._metrics.sessions -= 1
            self._metrics.wire_sessions[wire] -= 1
            self._free.release()
