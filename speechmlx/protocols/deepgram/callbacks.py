"""Results that are sent to an address of the client's, after its request was answered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from speechmlx.errors import BadRequest, Busy, EngineFailed, SpeechError
from speechmlx.protocols.http.deepgram_errors import content
from speechmlx.protocols.http.url_fetch import UrlFetcher

TRIES = 3
PAUSE = 5.0
"""Seconds between two tries to deliver a result."""
NOT_DELIVERED = "%s: the result was not delivered to its callback: %s"

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, dict[str, Any]]


class Callbacks:
    """Work whose results go to callbacks: at most `most` at once. `pause`: seconds between two tries."""

    def __init__(self, fetches: UrlFetcher, most: int, pause: float = PAUSE) -> None:
        self._fetches = fetches
        self._most = most
        self._pause = pause
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, url: str, method: str, id: str, work: Work, stack: AsyncExitStack) -> None:
        """Do `work` for the request `id`, and send its result or its error to `url`. Raises Busy.

        What `stack` holds, which the work needs, is taken out of it and closed afterwards.
        """
        if len(self._tasks) >= self._most:
            work.close()
            raise Busy(f"{self._most} results wait for their callbacks, which is the limit (max_jobs)", retry_after=5.0)
        task = asyncio.create_task(self._run(url, method, id, work, stack.pop_all()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, url: str, method: str, id: str, work: Work, stack: AsyncExitStack) -> None:
        try:
            found = await self._result(id, work, stack)
            await self._deliver(url, method, id, json.dumps(found, ensure_ascii=False).encode())
        except asyncio.CancelledError:
            log.warning(NOT_DELIVERED, id, "the server stops")
            raise

    async def _result(self, id: str, work: Work, stack: AsyncExitStack) -> dict[str, Any]:
        try:
            async with stack:
                return await work
        except SpeechError as error:
            log.warning("%s failed: %s", id, error)
            return content(error, id)
        except Exception:
            log.exception("%s failed", id)
            return content(EngineFailed("the server failed on this request; its log has the traceback"), id)

    async def _deliver(self, url: str, method: str, id: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "dg-request-id": id}
        for tries in range(TRIES):
            if tries:
                await asyncio.sleep(self._pause)
            try:
                await self._fetches.send(url, body, method, headers)
                return
            except (BadRequest, Busy) as error:
                reason = str(error)
        log.warning(NOT_DELIVERED, id, reason)
