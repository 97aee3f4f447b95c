"""How many live sessions may be open at once: one count for every wire."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

from speechmlx.errors import Busy, RateLimited, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols.http.rate_limits import ClientUsage
from speechmlx.runtime.front.runtime import Runtime

LEAVING = 2.0
"""Seconds that a session has to end after its client left: the next client waits so long for its place."""
COLLECT = 5.0
"""Seconds from the end of a session to the collection of its small parts; the large ones go at once."""
POLL = 0.05
"""Seconds between two looks whether a client that has all its places has left one."""


class SessionLimit:
    """How many live sessions may be open at once, over all wires, and of them by one client (`usage`).

    It counts them in the runtime's metrics.
    """

    def __init__(self, limit: int, runtime: Runtime, usage: ClientUsage) -> None:
        self.limit = limit
        self._free = asyncio.Semaphore(limit)
        self._metrics = runtime.metrics
        self._usage = usage
        self._collecting: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def session(self, wire: str = "openai_realtime") -> AsyncGenerator[None, None]:
        """A place for one session on `wire`. Raises Busy when none gets free within LEAVING seconds.

        Raises RateLimited where the current client has all the places that it may have.
        """
        with ExitStack() as stack:
            try:
                await self._enter(stack)
                await self._place(stack)
            except SpeechError as error:
                note_error(error.code)
                raise
            self._metrics.sessions += 1
            self._metrics.wire_sessions[wire] += 1
            try:
                yield
            finally:
                self._metrics.sessions -= 1
                self._metrics.wire_sessions[wire] -= 1
                self._collect_soon()

    async def _enter(self, stack: ExitStack) -> None:
        """Count a session of the current client until `stack` closes."""
        end = asyncio.get_running_loop().time() + LEAVING
        while True:
            try:
                stack.enter_context(self._usage.session())
                return
            except RateLimited:
                if asyncio.get_running_loop().time() > end:
                    raise
            await asyncio.sleep(POLL)

    async def _place(self, stack: ExitStack) -> None:
        """Take one of all places until `stack` closes."""
        try:
            async with asyncio.timeout(LEAVING):
                await self._free.acquire()
        except TimeoutError:
            raise Busy(
                f"{self.limit} live sessions are open, which is the limit (max_sessions); try again later"
            ) from None
        stack.callback(self._free.release)

    def _collect_soon(self) -> None:
        """Free what is left of ended sessions: their parts refer to each other, and the collector may not come by."""
        loop = asyncio.get_running_loop()
        if self._collecting is None or self._collecting.when() < loop.time():
            self._collecting = loop.call_later(COLLECT, gc.collect)
