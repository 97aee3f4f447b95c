"""Webhooks: the end of a job is told to an address, again and again until it is taken or given up."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from speechmlx.errors import Busy, SpeechError
from speechmlx.jobs import queue
from speechmlx.jobs.background_job import BackgroundJob, HookState
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import JobFiles
from speechmlx.jobs.signing import signed_headers

log = logging.getLogger(__name__)

PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds from each try to the next; a webhook is given up after one more."""
HOLD = 120.0
"""Seconds that a server has for a try. One that ends meanwhile leaves the try to another."""
MOST = 4
"""Tries at once."""

Send = Callable[[str, bytes, str, Mapping[str, str]], Awaitable[None]]
"""Sends a body to a url, with a method and headers. Raises SpeechError where it is not taken."""


class Webhooks:
    """Delivers the webhooks of a store with `send`. `describe` gives the object of a job, as clients read it."""

    def __init__(
        self,
        database: JobDatabase,
        files: JobFiles,
        send: Send,
        secret: bytes | None,
        describe: Callable[[BackgroundJob], Mapping[str, Any]],
    ) -> None:
        self._database = database
        self._files = files
        self._send = send
        self._secret = secret
        self._describe = describe
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """Begin what is due."""
        while len(self._tasks) < MOST:
            job = await self._database.run(queue.claim_hook, time.time(), HOLD)
            if job is None:
                return
            task = asyncio.create_task(self._try(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End the tries under way; they are due again after HOLD seconds."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _try(self, job: BackgroundJob) -> None:
        assert job.hook is not None
        try:
            body, headers = await self._message(job)
            await self._send(job.hook.url, body, job.hook.method, headers)
        except SpeechError as error:
            await self._note_failure(job, str(error), counted=not isinstance(error, Busy))
        except Exception:
            log.exception("%s: the webhook", job.id)
            await self._note_failure(job, "the server failed; its log has the traceback")
        else:
            await self._end(job, HookState.DELIVERED)

    async def _message(self, job: BackgroundJob) -> tuple[bytes, dict[str, str]]:
        """The body and the headers."""
        assert job.hook is not None
        if job.hook.sends_result:
            body = await asyncio.to_thread(self._files.result, job.id, job.result)
            return body, {name: value for name, value in job.headers if name != "content-length"}
        now = time.time()
        message = {"type": f"job.{job.state.value}", "timestamp": _iso(now), "data": dict(self._describe(job))}
        body = json.dumps(message, ensure_ascii=False).encode()
        return body, {"Content-Type": "application/json", **signed_headers(self._secret, job.id, now, body)}

    async def _note_failure(self, job: BackgroundJob, reason: str, counted: bool = True) -> None:
        if job.hook_tries > len(PAUSES) and counted:
            log.warning("%s: the webhook was given up after %d tries: %s", job.id, job.hook_tries, reason)
            await self._end(job, HookState.FAILED, error=reason)
        else:
            pause = PAUSES[min(job.hook_tries, len(PAUSES)) - 1]
            await self._end(job, HookState.PENDING, time.time() + pause, reason)

    async def _end(self, job: BackgroundJob, state: HookState, next_try: float = 0.0, error: str | None = None) -> None:
        try:
            await self._database.run(queue.end_hook, job.id, state.value, next_try, error)
        except SpeechError as failure:
            log.warning("%s: how its webhook went could not be noted: %s", job.id, failure)


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
