"""JobRunner: takes the jobs of a store one after another, runs them, and puts them back when the server stops."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

from speechmlx.errors import Busy, Draining, EngineLost, NoRoom, OutOfMemory, RateLimited, SpeechError, WeightsDamaged
from speechmlx.jobs import queue, store
from speechmlx.jobs.background_job import BackgroundJob
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import JobFiles
from speechmlx.jobs.journal import JobJournal
from speechmlx.jobs.queue import Outcome

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Jobs that one server runs at once. Windows of both are decoded together."""
BEAT = 1.0
"""Seconds between two looks at the store, in which the leases are renewed too."""
PATIENCE = 60
"""Most beats between two looks at a store that cannot be used; the pause doubles up to it."""
REMINDER = 600.0
"""Seconds until the same trouble with the store is told again."""
SWEEP = 60.0
"""Seconds between two looks for what is old."""
MOST_LOSSES = 3
"""Interruptions of a job without progress after which it fails: the recording may be what ends the engine."""

LOSSES = (EngineLost, OutOfMemory, WeightsDamaged)
"""Errors that may come again and again: each counts as an interruption."""
NO_ROOM = 30.0
"""Seconds until a job is tried again whose result had no room on the disk."""

FAILURE = Outcome(
    status=500,
    headers=(),
    result="",
    size=0,
    error={"message": "the server failed on this job; its log has the traceback", "code": EngineLost.code},
)
"""How a job ends that can neither be run nor be given up in its protocol's words."""

Work = Callable[[BackgroundJob, JobJournal, SpeechError | None], Awaitable[Outcome]]
"""Runs a job and keeps the body of its result. Raises what `is_passing` is true for. With an error, the job is to fail
with that, and nothing is run."""


def is_passing(error: SpeechError) -> bool:
    """Whether a job is tried again after an error."""
    return isinstance(error, (*LOSSES, Draining)) or (isinstance(error, Busy) and not isinstance(error, RateLimited))


class JobRunner:
    """Runs the jobs of a store with `work`. `changed` is called after each look at the store.

    `retention`: seconds for which ended jobs are kept; 0 for ever.
    """

    def __init__(
        self,
        database: JobDatabase,
        files: JobFiles,
        work: Work,
        retention: float,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self.id = uuid.uuid4().hex
        self._database = database
        self._files = files
        self._work = work
        self._retention = retention
        self._changed = changed
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._swept = 0.0
        self._told = "", -math.inf
        """The last trouble with the store, and when it was told."""

    def start(self) -> None:
        """Begin to take jobs."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Put the running jobs back, for the next server."""
        if self._loop is None:
            return
        tasks = [self._loop, *self._running.values(), *([self._sweeping] if self._sweeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop = None

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def drop(self, id: str) -> None:
        """Stop a job that was cancelled or deleted, if it runs here."""
        if task := self._running.get(id):
            task.cancel()

    async def _run(self) -> None:
        pause = 1
        while True:
            try:
                if self._database.exists:
                    await self._beat()
                pause = 1
            except Exception as error:
                self._tell(error)
                pause = 1 if self._running else min(2 * pause, PATIENCE)  # leases of running jobs are short
            try:
                async with asyncio.timeout(pause * BEAT):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    def _tell(self, error: Exception) -> None:
        """Log what is wrong with the store: once, and now and then a reminder."""
        words, told = self._told
        if repr(error) == words and time.monotonic() - told < REMINDER:
            return
        self._told = repr(error), time.monotonic()
        log.error("background jobs: %s", error, exc_info=None if isinstance(error, SpeechError) else error)

    async def _beat(self) -> None:
        """Renew the leases, stop what is lost, take what waits, forget what is old."""
        if self._running:
            held = await self._database.run(queue.renew, self.id, time.time())
            for id in self._running.keys() - held:
                self.drop(id)
        while len(self._running) < AT_ONCE:
            job = await self._database.run(queue.claim, self.id, time.time())
            if job is None:
                break
            if job.id not in self._running:
                task = asyncio.create_task(self._hold(job))
                self._running[job.id] = task
                task.add_done_callback(lambda _, id=job.id: self._ended(id))  # type: ignore[misc]
        await self._changed()
        if self._sweeping is None or (self._sweeping.done() and time.monotonic() - self._swept > SWEEP):
            self._swept = time.monotonic()
            self._sweeping = asyncio.create_task(self._sweep())

    def _ended(self, id: str) -> None:
        del self._running[id]
        self._wake.set()

    async def _sweep(self) -> None:
        """Delete what is old: jobs that ended, and folders without a job."""
        try:
            if self._retention:
                for id in await self._database.run(store.forget_old, time.time() - self._retention):
                    await asyncio.to_thread(self._files.remove, id)
            old = await asyncio.to_thread(self._files.old_folders)
            for id in set(old) - await self._database.run(store.known, old):
                await asyncio.to_thread(self._files.remove, id)
        except SpeechError as error:
            log.warning("old background jobs were not deleted: %s", error)

    async def _hold(self, job: BackgroundJob) -> None:
        """Run a job that was claimed, and end it, or put it back."""
        try:
            await self._end(job, await self._outcome(job))
        except asyncio.CancelledError:
            await self._release(job)
            raise
        except SpeechError as error:
            wait = max(BEAT, NO_ROOM if isinstance(error, NoRoom) else 0.0, error.retry_after or 0.0)
            log.warning("%s is tried again in %g s: %s", job.id, wait, error)
            ran = not isinstance(error, EngineLost) or error.ran
            await self._release(job, time.time() + wait, isinstance(error, LOSSES) and ran)
        except Exception:
            log.exception("%s could not be ended", job.id)
            if job.losses > MOST_LOSSES:
                await self._end(job, FAILURE)
            else:
                await self._release(job, time.time() + BEAT, lost=True)

    async def _outcome(self, job: BackgroundJob) -> Outcome:
        saved = await self._database.run(queue.saved, job.id)
        journal = JobJournal(_Saved(self, job.id), saved)
        error = None
        if job.losses > MOST_LOSSES:
            error = EngineLost(f"the job was interrupted {job.losses} times without getting further, and was given up")
        try:
            return await self._work(job, journal, error)
        finally:
            await journal.close()

    async def _end(self, job: BackgroundJob, outcome: Outcome) -> None:
        """End a job and delete its files, also where it is dropped meanwhile: an ended job is not held any more."""
        await asyncio.shield(self._finish(job, outcome))

    async def _finish(self, job: BackgroundJob, outcome: Outcome) -> None:
        if await self._database.run(queue.finish, job.id, self.id, outcome, time.time()):
            await asyncio.to_thread(self._files.keep_only, job.id, outcome.result)
            log.info("%s ended with %d", job.id, outcome.status)

    async def _release(self, job: BackgroundJob, not_before: float = 0.0, lost: bool = False) -> None:
        try:
            await self._database.run(queue.release, job.id, self.id, not_before, lost)
        except SpeechError as error:
            log.warning("%s could not be put back, and is taken again in %g s: %s", job.id, queue.LEASE, error)

    async def save(self, id: str, entries: Sequence[tuple[int, str]], done: float, total: float | None) -> None:
        """Keep what a job found. One that is not held any more is stopped."""
        if not await self._database.run(queue.save, id, self.id, entries, done, total):
            self.drop(id)

    async def forget(self, id: str, recognition: int) -> None:
        """Forget what a job found in one of its recognitions."""
        await self._database.run(queue.drop_saved, id, [recognition])


class _Saved:
    """The `JournalStore` of one job."""

    def __init__(self, runner: JobRunner, id: str) -> None:
        self._runner = runner
        self._id = id

    async def save(self, entries: Sequence[tuple[int, str]], done: float, total: float | None) -> None:
        await self._runner.save(self._id, entries, done, total)

    async def drop(self, recognition: int) -> None:
        await self._runner.forget(self._id, recognition)
