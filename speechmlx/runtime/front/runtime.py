"""Runtime: the only door to the engines. It resolves models, brings their weights here, and hands jobs over."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from speechmlx.config import Config
from speechmlx.errors import Busy, Draining, EngineFailed, EngineLost, ModelUnavailable, NoRoom, SpeechError, from_code
from speechmlx.models import store
from speechmlx.models.spec import Catalog, Model
from speechmlx.runtime import scratch
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.front.loads import Loads
from speechmlx.runtime.front.metrics import Measures
from speechmlx.runtime.front.supervisor import State, Supervisor
from speechmlx.runtime.front.weights import fetch
from speechmlx.runtime.ipc.messages import Cancel, Ended, Memory, Said, Setup, Used
from speechmlx.types import Kind, Listen, Load, Priority, Progress, Request, Unload

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.7
"""Of the machine's memory, for weights, where no limit is set."""

FIRST_RETRY, LAST_RETRY = 2.0, 300.0
"""Seconds until a pinned model that could not be fetched is tried again: doubled each time, up to the second."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that is not cold. `progress` while it is fetched."""

    name: str
    kind: Kind
    state: Literal["fetching", "loading", "loaded"]
    pinned: bool = False
    nbytes: int = 0
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What the runtime is doing: `engine` is the state of the engine process, `jobs` run or wait."""

    engine: State
    device: str
    pid: int
    jobs: int
    models: tuple[ModelStatus, ...]


class Runtime:
    """Jobs in, events out. `start` and `close` belong to the app's lifespan; every method runs on its event loop."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self.measures = Measures()
        self._cache = store.cache_folder(config)
        self._ids = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._folders: dict[str, str] = {}
        self._fetches: dict[str, asyncio.Task[str]] = {}
        self._fetched: dict[str, Progress] = {}
        self._memory = Memory(())
        self._loads = Loads()
        self._loaded_any = False
        self._pinned: set[str] = set()
        self._pinning: set[str] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._draining = False
        self.drained = asyncio.Event()
        """Set once the server is stopping and nothing runs any more: live sessions end."""
        setup = Setup(config.memory_limit or _default_memory_limit(), config.idle_unload)
        self._engine = Supervisor(setup, config.log_level, self._on_message, self._on_up, self._on_lost)

    async def start(self) -> None:
        """Start the engine process; with `preload`, load and pin the default of every kind."""
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine.start()
        self._spawn(asyncio.to_thread(scratch.sweep))
        if self.config.preload:
            for kind in self.catalog.kinds(self.config):
                self._pin(self.catalog.default(kind, self.config).name)

    async def ready(self) -> None:
        """Wait until the engine process is up. Raises EngineLost when it ends at start; the next is under way then."""
        while not self._engine.up:
            await asyncio.shield(self._up)

    async def drain(self, timeout: float, also: Callable[[], bool] = lambda: False) -> None:
        """Refuse new jobs; give running ones, and what is under way `also`, `timeout` seconds, then end the jobs.

        They end with `Draining`.
        """
        self._draining = True
        deadline = asyncio.get_running_loop().time() + timeout
        while (self._jobs or also()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for job in list(self._jobs.values()):
            self._engine.send(Cancel(job.id))
            job.finish_with(Draining("the server is shutting down"))
        self.drained.set()

    async def close(self) -> None:
        """End the engine process and everything under way."""
        await self.drain(0.0)
        under_way = [*self._background, *self._fetches.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._engine.stop()

    def submit(self, request: Request) -> Job:
        """Start a job at once. Raises UnknownModel, Busy (full) and Draining; any other error reaches its reader."""
        if self._draining:
            raise Draining("the server is shutting down", retry_after=5.0)
        model = self.model(request.model, request.kind)
        if _counts(request) and self._crowded:
            self.measures.jobs[model.name, Busy.code] += 1
            raise Busy(f"{self.config.max_jobs} jobs run or wait, which is the limit (max_jobs)", retry_after=1.0)
        job = Job(next(self._ids), replace(request, model=model.name), model, self._engine.send, self._over)
        self._jobs[job.id] = job
        if isinstance(request, Unload):
            self._unload(job)
            return job
        folder = self._folder(model)
        if folder is not None and self._engine.up:
            job.start(folder)
        else:
            self._spawn(self._prepare(job))
        return job

    @property
    def _crowded(self) -> bool:
        """Whether `max_jobs` are here."""
        return sum(_counts(job.request) for job in self._jobs.values()) >= self.config.max_jobs

    def model(self, name: str | None, kind: Kind | None) -> Model:
        """The row for a name or alias, or the default of the kind. Raises UnknownModel."""
        if name is not None:
            return self.catalog.resolve(name, kind)
        assert kind is not None, "a request without a kind names its model"
        return self.catalog.default(kind, self.config)

    def status(self) -> Status:
        held = {held.name: held for held in self._memory.models}
        models = [
            ModelStatus(name, self.catalog.resolve(name, None).kind, "fetching", progress=self._fetched.get(name))
            for name in self._fetches
        ]
        for name, held_model in held.items():
            kind = self.catalog.resolve(name, None).kind
            state: Literal["loading", "loaded"] = "loaded" if held_model.state == "loaded" else "loading"
            models.append(ModelStatus(name, kind, state, held_model.pinned, held_model.nbytes))
        return Status(self._engine.state, self._engine.device, self._engine.pid, len(self._jobs), tuple(models))

    # --- weights ---

    def _folder(self, model: Model) -> str | None:
        """The weights' folder when they are here, whole."""
        if model.name not in self._folders:
            folder = store.folder(model, self._cache)
            if folder is None:
                return None
            self._folders[model.name] = str(folder)
        known = self._folders[model.name]
        if not Path(known).exists():  # removed while we ran
            del self._folders[model.name]
            return None
        return known

    async def _prepare(self, job: Job) -> None:
        """Fetch the weights, wait for the engine process, hand the job over."""
        try:
            folder = self._folder(job.model)
            if folder is None:
                folder = await asyncio.shield(self._fetch(job.model))
            await self.ready()
            job.start(folder)
        except SpeechError as error:
            job.finish_with(error)
        except asyncio.CancelledError:
            job.finish_with(Draining("the server is shutting down"))
            raise
        except Exception as error:
            log.exception("preparing %s failed", job.model.name)
            job.finish_with(EngineFailed(f"preparing {job.model.name!r} failed: {error}"))

    def _fetch(self, model: Model) -> asyncio.Task[str]:
        """The one fetch of this model under way; jobs that leave do not stop it, an Unload does."""
        if model.name in self._fetches:
            return self._fetches[model.name]

        def on_progress(progress: Progress) -> None:
            self._fetched[model.name] = progress
            for job in list(self._jobs.values()):
                if job.model.name == model.name:
                    job.on_output(progress)

        def over(task: asyncio.Task[str]) -> None:
            if self._fetches.get(model.name) is task:
                del self._fetches[model.name]
                self._fetched.pop(model.name, None)
            if task.cancelled():
                log.info("fetching %s was stopped; what came so far is kept", model.name)
            elif task.exception() is not None:
                log.error("fetching %s failed: %s", model.name, task.exception())
            else:
                log.info("fetched %s, %.0f MB, in %.1f s", model.name, model.size / 1e6, time.monotonic() - began)

        log.info("fetching %s, %.0f MB", model.name, model.size / 1e6)
        began = time.monotonic()
        task = asyncio.create_task(fetch(model, self._cache, on_progress))
        self._fetches[model.name] = task
        task.add_done_callback(over)
        return task

    def _unload(self, job: Job) -> None:
        """An Unload waits for no weights and no process: it is handed over where the model is, else over at once.

        A fetch that nobody waits for is stopped by it. Fails with Busy while jobs wait for the model.
        """
        name = job.model.name
        jobs = [one for one in self._jobs.values() if one.model.name == name and not isinstance(one.request, Unload)]
        if any(held.name == name for held in self._memory.models) or any(one.started for one in jobs):
            job.start("")
        elif jobs:
            job.finish_with(Busy(f"the model {name!r} is in use; try again when its jobs are done", retry_after=5.0))
        else:
            if fetching := self._fetches.pop(name, None):
                self._fetched.pop(name, None)
                self._background.add(fetching)
                fetching.add_done_callback(self._background.discard)
                fetching.cancel()
            job.finish_with(None)

    # --- the engine process ---

    def _on_message(self, message: object) -> None:
        match message:
            case Said(job, event) if job in self._jobs:
                self._jobs[job].on_output(event)
            case Used(job, count) if job in self._jobs:
                self._jobs[job].on_input_consumed(count)
            case Ended(job, failure) if job in self._jobs:
                error = from_code(failure.code, failure.message, failure.retry_after) if failure else None
                self._jobs[job].finish_with(error)
            case Memory(models):
                self._memory = message
                self._loads.tell(message)
                self._loaded_any |= any(held.state == "loaded" for held in models)
        self._recycle_if_idle()

    def _recycle_if_idle(self) -> None:
        """Models came and went and nobody waits: only a fresh process surely gives all their memory back."""
        if not self._loaded_any or self._memory.models or self._jobs or self._draining or not self._engine.up:
            return
        log.info("no model in memory: starting a fresh engine process")
        self._loaded_any = False
        self._up = asyncio.get_running_loop().create_future()
        self._engine.recycle()

    def _on_up(self) -> None:
        if not self._up.done():
            self._up.set_result(None)
        for name in list(self._pinned):
            self._pin(name)

    def _on_lost(self, reason: str) -> None:
        """Its jobs end with an error now; the others wait for the next process, unless this one never was up."""
        error = EngineLost(f"the engine process {reason} while this ran; the server starts it again")
        for job in list(self._jobs.values()):
            if job.started:
                job.finish_with(error)
        if not self._up.done():
            self._up.set_exception(EngineLost(f"the engine process {reason} at start; the server's log has more"))
            self._up.exception()
        self._up = asyncio.get_running_loop().create_future()
        self._memory = Memory(())
        self._loads.tell(self._memory)
        self._loaded_any = False
        self.measures.engine_restarts += 1

    def _pin(self, name: str) -> None:
        """Load a model and keep it, in every engine process from now on; an Unload ends that."""
        self._pinned.add(name)
        if name in self._pinning:
            return
        self._pinning.add(name)
        self._spawn(self._load_pinned(name))

    async def _load_pinned(self, name: str) -> None:
        """Load while there is no room or no network again and again; a model that does not load is given up."""
        pause = FIRST_RETRY
        try:
            while name in self._pinned:
                try:
                    job = self.submit(Load(model=name, pin=True, priority=Priority.BULK))
                    await job.finished()
                    return
                except Busy as error:
                    log.warning("preloading %s waits: %s", name, error)
                    await asyncio.sleep(error.retry_after or 1.0)
                except (ModelUnavailable, NoRoom) as error:
                    if job.started:  # no later try would do better
                        self._give_up(name, error)
                        return
                    log.warning("preloading %s: %s Trying again in %.0f s", name, error, pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LAST_RETRY)
        except (EngineLost, Draining):
            pass  # the next engine process loads it, after a while if this one did not live long
        except SpeechError as error:
            self._give_up(name, error)
        finally:
            self._pinning.discard(name)

    def _give_up(self, name: str, error: SpeechError) -> None:
        log.error("preloading %s failed, it is loaded when it is asked for: %s", name, error)
        self._pinned.discard(name)

    def _over(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if isinstance(job.request, Load) and job.request.pin and job.outcome == "ok":
            self._pinned.add(job.model.name)
        elif isinstance(job.request, Unload) and job.outcome == "ok":
            self._pinned.discard(job.model.name)
        what = (job.model.kind.value, type(job.request).__name__)
        self.measures.job(job.model.name, what, job.outcome, job.first_event, time.monotonic() - job.submitted)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _counts(request: Request) -> bool:
    """Whether `max_jobs` bounds it; those of live conversations do not count, `max_sessions` does."""
    return request.priority != Priority.REALTIME and not isinstance(request, Listen)


def _default_memory_limit() -> int:
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
