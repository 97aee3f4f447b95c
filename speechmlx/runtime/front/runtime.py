"""Runtime: the only way to the engines. It resolves models, fetches weights and gives jobs to the engine process."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from speechmlx.config import Config
from speechmlx.errors import Busy, Draining, EngineFailed, EngineLost, SpeechError, WeightsDamaged, from_code
from speechmlx.models import store
from speechmlx.models.abilities import check_ability
from speechmlx.models.in_use import Marks
from speechmlx.models.licences import Licences
from speechmlx.models.spec import Catalog, Model
from speechmlx.models.voice_store import VoiceStore, default_folder, with_voices
from speechmlx.optional_packages import use
from speechmlx.runtime import scratch
from speechmlx.runtime.front.admitted_rows import AdmittedRows
from speechmlx.runtime.front.client import current, share, takes_place
from speechmlx.runtime.front.hang_watch import HangWatch
from speechmlx.runtime.front.idle_watch import IdleWatch
from speechmlx.runtime.front.integrity import Integrity
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.front.job_loss import end_lost
from speechmlx.runtime.front.job_trace import trace_job
from speechmlx.runtime.front.late_admission import admit_later
from speechmlx.runtime.front.load_log import LoadLog
from speechmlx.runtime.front.metrics import Metrics
from speechmlx.runtime.front.pinned import PinnedModels
from speechmlx.runtime.front.sleep_guard import SleepGuard, caffeinate
from speechmlx.runtime.front.status import ModelStatus, Status
from speechmlx.runtime.front.supervisor import Supervisor
from speechmlx.runtime.front.user_lexicon import load_entries, with_lexicon
from speechmlx.runtime.front.weights import Fetches
from speechmlx.runtime.ipc.messages import (
    Begun,
    CancelJob,
    Ended,
    EngineReport,
    InputConsumed,
    MemoryReport,
    Output,
    Setup,
)
from speechmlx.types import Kind, Listen, Load, Progress, Request, Unload

log = logging.getLogger(__name__)

ENGINE_WAIT = 60.0
"""Seconds that a job waits for the engine process to come up. Its client is told then."""


class Runtime:
    """Takes requests and gives jobs. The app calls `start` and `close`; every method runs on the app's event loop."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        """Raises BadRequest for a lexicon that cannot be read, and LicenceNotAccepted for a default model."""
        self.config = config
        self.voices = VoiceStore(default_folder(config))
        """The voices that clients stored."""
        self.admitted = AdmittedRows(with_voices(catalog, config, self.voices))
        self.catalog = self.admitted.catalog
        self.metrics = Metrics()
        self.licences = Licences(config)
        self.licences.require_chosen(self.catalog, config)
        self._cache = store.cache_folder(config)
        self.lexicon = load_entries(config)
        """How words are said in every speech."""
        self._ids = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._folders: dict[str, str] = {}
        self._marks = Marks(self._cache)
        self._integrity = Integrity(self._cache)
        self.fetches = Fetches(self._cache, self._on_fetch_progress)
        self._pinned = PinnedModels(self.submit, self._spawn)
        self._memory = MemoryReport(())
        self._load_log = LoadLog()
        self._loaded_any = False
        """Whether this engine process has loaded a model."""
        self._background: set[asyncio.Task[Any]] = set()
        self._draining = False
        self.drained = asyncio.Event()
        """Set when the server is stopping and no job runs: live sessions end then."""
        setup = Setup(config.memory_limit, config.idle_unload, config.llm_context, config.keep_wired)
        self._engine = Supervisor(setup, config.log, config.device, self._on_message, self._on_up, self._on_lost)
        self.refusal = self._engine.refusal
        """Why no engine process can run any more."""
        self._watch = HangWatch(self._engine, config.step_timeout, lambda: bool(self._jobs), self._on_hang)
        self._submitted = 0
        self._idle = IdleWatch(config.engine_idle, self._is_idle, lambda: self._submitted, self._rest)
        self._sleep_guard = SleepGuard(caffeinate())

    async def start(self) -> None:
        """Start the engine process. With `preload`, load and pin the default model of every kind."""
        use(os.environ)
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine.start()
        self._spawn(asyncio.to_thread(scratch.sweep))
        self._spawn(self._watch.run())
        self._spawn(self._idle.run())
        self._spawn(self.admitted.run())
        self._spawn(admit_later(self.catalog, self.config))
        if self.config.preload:
            for row in self.catalog.defaults(self.config):
                self._pinned.pin(row.name)

    async def ready(self) -> None:
        """Wait until the engine process is up; start it where it ended for want of work.

        Raises EngineLost when it ends at start; it is started again then, but where there is a refusal.
        """
        while not self._engine.up:
            if self._engine.state == "idle":
                self._engine.wake()
            self.refusal.check()
            await asyncio.shield(self._up)

    async def drain(self, timeout: float, is_busy: Callable[[], bool] = lambda: False) -> None:  # noqa: ASYNC109
        """Refuse new jobs. Wait up to `timeout` seconds for the running ones and until `is_busy()` is false.

        Jobs that still run then end with Draining.
        """
        self._draining = True
        for job in list(self._jobs.values()):
            if not job.started and job.model.name in self.fetches.running:  # a download has no end in sight
                job.finish_with(Draining("the server is shutting down"))
        deadline = asyncio.get_running_loop().time() + timeout
        while (self._jobs or is_busy()) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for job in list(self._jobs.values()):
            self._engine.send(CancelJob(job.id))
            job.finish_with(Draining("the server is shutting down"))
        self.drained.set()

    async def close(self) -> None:
        """End all jobs and fetches, then the engine process."""
        await self.drain(0.0)
        background = list(self._background)
        for task in background:
            task.cancel()
        await self.fetches.close()
        await asyncio.gather(*background, return_exceptions=True)
        await self._engine.stop()

    def submit(self, request: Request) -> Job:
        """Start a job. Raises BadRequest, Busy (`max_jobs` reached) and Draining; the job raises all other errors."""
        if self._draining:
            raise Draining("the server is shutting down", retry_after=5.0)
        model = self.model(request.model, request.kind, live=isinstance(request, Listen))
        self.licences.require(model, request)
        check_ability(self.catalog, self.config, model, request)
        if takes_place(request) and self._is_full:
            self.metrics.jobs[model.name, Busy.code] += 1
            raise Busy(f"{self.config.max_jobs} jobs run or wait, which is the limit (max_jobs)", retry_after=1.0)
        if takes_place(request) and self._has_its_share(current.get().holder):
            self.metrics.jobs[model.name, Busy.code] += 1
            places = share(self.config.max_jobs)
            raise Busy(f"{places} of this client's jobs run or wait, its share of max_jobs", retry_after=1.0)
        request = with_lexicon(replace(request, model=model.name), self.lexicon)
        if isinstance(request, Listen) and request.delay is None and self.config.listen_delay:
            request = replace(request, delay=self.config.listen_delay)
        job = Job(next(self._ids), request, model, self._engine.send, self._on_job_end)
        self._jobs[job.id] = job
        self._submitted += 1
        self._guard_sleep()
        if isinstance(request, Unload):
            self._unload(job)
            return job
        folder = self._folder(model)
        if folder is not None and self._engine.up and not self.refusal.reason and model.name in self._integrity.whole:
            job.start(folder)
        else:
            self._spawn(self._prepare(job))
        return job

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        """The row with this name or alias; without a name, the default of `kind`, or of `live` recognition.

        Raises UnknownModel.
        """
        if name is not None:
            return self.catalog.resolve(name, kind)
        assert kind is not None, "a request without a kind names its model"
        return self.catalog.listener(self.config) if live else self.catalog.default(kind, self.config)

    def status(self) -> Status:
        """The state of the engine process, the jobs and the models now."""
        models = [
            ModelStatus(name, self._kind(name), "fetching", progress=self.fetches.progress.get(name))
            for name in self.fetches.running
        ]
        for model in self._memory.models:
            models.append(ModelStatus(model.name, self._kind(model.name), model.state, model.pinned, model.nbytes))
        engine = self._engine
        return Status(engine.state, engine.device, engine.pid, len(self._jobs), tuple(models), engine.model_memory)

    # --- jobs ---

    @property
    def _is_full(self) -> bool:
        """Whether `max_jobs` jobs run or wait."""
        return sum(takes_place(job.request) for job in self._jobs.values()) >= self.config.max_jobs

    def _guard_sleep(self) -> None:
        """Keep the machine awake for work that nobody waits for at it; a live session does not."""
        self._sleep_guard.update(any(takes_place(job.request) for job in self._jobs.values()))

    def _has_its_share(self, holder: str) -> bool:
        """Whether as many jobs of `holder` run or wait as one may have."""
        if not holder:
            return False
        jobs = sum(job.client.holder == holder and takes_place(job.request) for job in self._jobs.values())
        return jobs >= share(self.config.max_jobs)

    async def _prepare(self, job: Job) -> None:
        """Fetch the weights, wait for the engine process, start the job."""
        try:
            self.refusal.check()
            folder = self._folder(job.model)
            if folder is not None and not await self._integrity.check(job.model):
                folder = None
            if folder is None:
                folder = await asyncio.shield(self.fetches.start(job.model))
                self._folders[job.model.name] = folder
                self._integrity.whole.add(job.model.name)
                self._marks.hold(job.model.name)
            await self._ready_in_time()
            job.start(folder)
        except SpeechError as error:
            job.finish_with(error)
        except asyncio.CancelledError:
            job.finish_with(Draining("the server is shutting down"))
            raise
        except Exception as error:
            log.exception("preparing %s failed", job.model.name)
            job.finish_with(EngineFailed(f"preparing {job.model.name!r} failed: {error}"))

    async def _ready_in_time(self) -> None:
        """`ready`, for ENGINE_WAIT seconds. Raises EngineLost then, with a time to try again."""
        try:
            async with asyncio.timeout(ENGINE_WAIT):
                await self.ready()
        except TimeoutError:
            message = f"the engine process has not come up for {ENGINE_WAIT:g} s; the server's log has more"
            raise EngineLost(message, retry_after=5.0, ran=False) from None

    def _unload(self, job: Job) -> None:
        """Start an Unload where the engine process has the model or one of its jobs; else end it here.

        It then stops a fetch that no job waits for. It fails with Busy while jobs wait for the model.
        """
        name = job.model.name
        jobs = [
            other for other in self._jobs.values() if other.model.name == name and not isinstance(other.request, Unload)
        ]
        if any(model.name == name for model in self._memory.models) or any(other.started for other in jobs):
            job.start("")
        elif jobs:
            job.finish_with(Busy(f"the model {name!r} is in use; try again when its jobs are done", retry_after=5.0))
        else:
            self.fetches.stop(name)
            job.finish_with(None)

    def _on_job_end(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        self._guard_sleep()
        self._keep_marks()
        if job.started and job.outcome == "ok" and not isinstance(job.request, Load | Unload):
            self._engine.useful = True
        if isinstance(job.request, Load) and job.request.pin and job.outcome == "ok":
            self._pinned.names.add(job.model.name)
        elif isinstance(job.request, Unload) and job.outcome == "ok":
            self._pinned.names.discard(job.model.name)
        trace_job(job)
        kind = (job.model.kind.value, type(job.request).__name__)
        self.metrics.job(job.model.name, kind, job.outcome, job.first_event, time.monotonic() - job.submitted)

    # --- models ---

    def _kind(self, name: str) -> Kind:
        return self.catalog.resolve(name, None).kind

    def _folder(self, model: Model) -> str | None:
        """The folder of the model's weights; None where they are not complete on this machine."""
        name = model.name
        if name in self._folders and any(held.name == name for held in self._memory.models):
            return self._folders[name]
        # It, or a file of it, may have been deleted while the server runs, and so may the modules that load it.
        self.refusal.look()
        found = store.folder(model, self._cache) if self._marks.hold(name) else None
        if found is None:
            self._folders.pop(name, None)
            self._integrity.whole.discard(name)
            return None
        self._folders[name] = str(found)
        return self._folders[name]

    def _keep_marks(self) -> None:
        """Let go of the models that neither a job nor the engine process uses."""
        jobs = (job.model.name for job in self._jobs.values())
        self._marks.keep([*jobs, *(model.name for model in self._memory.models)])

    def _on_fetch_progress(self, model: Model, progress: Progress) -> None:
        for job in list(self._jobs.values()):
            if job.model.name == model.name:
                job.on_output(progress)

    # --- the engine process ---

    def _on_message(self, message: object) -> None:
        match message:
            case Output(job, event) if job in self._jobs:
                self._jobs[job].on_output(event)
            case Begun(job) if job in self._jobs:
                self._jobs[job].on_begun()
            case InputConsumed(job, count) if job in self._jobs:
                self._jobs[job].on_input_consumed(count)
            case Ended(job, failure, times) if job in self._jobs:
                self._jobs[job].times = times
                error = from_code(failure.code, failure.message, failure.retry_after) if failure else None
                if isinstance(error, WeightsDamaged):
                    self._spawn(self._on_damage(self._jobs[job], error))
                else:
                    self._jobs[job].finish_with(error)
            case MemoryReport():
                self._on_memory_report(message)
            case EngineReport():
                self.metrics.engine(message.steps, message.waiting, message.memory, message.aims)
        self._recycle_if_idle()

    async def _on_damage(self, job: Job, error: WeightsDamaged) -> None:
        """The engine process refused weights that came as they are: fetch them again, once, while the job fails."""
        name = job.model.name
        if name in self.fetches.running or await self._integrity.refused(job.model, error.message):
            error = WeightsDamaged(f"{error.message}; they are fetched again: try again later", retry_after=5.0)
            self._folders.pop(name, None)
            self.fetches.start(job.model)
        job.finish_with(error)

    def _on_memory_report(self, report: MemoryReport) -> None:
        self._memory = report
        self._keep_marks()
        self._load_log.update(report)
        self._loaded_any |= any(model.state == "loaded" for model in report.models)

    def _recycle_if_idle(self) -> None:
        """Start a fresh engine process when all models are unloaded and no job waits: that frees all their memory."""
        if not self._loaded_any or self._memory.models or self._jobs or self._draining or not self._engine.up:
            return
        log.info("no model in memory: starting a fresh engine process")
        self._loaded_any = False
        self._up = asyncio.get_running_loop().create_future()
        self._engine.recycle()

    def _is_idle(self) -> bool:
        """Whether the engine process may end: nothing runs or waits, and no model is to stay in memory."""
        return self._engine.up and not self._jobs and not self._pinned.names and not self._draining

    def _rest(self) -> None:
        """End the idle engine process. The next job starts it again."""
        log.info("no work for %g s: the engine process ends until the next request", self.config.engine_idle)
        self._up = asyncio.get_running_loop().create_future()
        self._engine.rest()
        self._on_memory_report(MemoryReport(()))
        self._loaded_any = False
        self.metrics.engine({}, 0, 0)

    def _on_up(self) -> None:
        if not self._up.done():
            self._up.set_result(None)
        self._pinned.load_all()

    def _on_hang(self) -> None:
        self.metrics.engine_hangs += 1

    def _on_lost(self, reason: str) -> None:
        """End the jobs that it worked on. The others wait for the next process; not those that waited for its start."""
        loading = {model.name for model in self._memory.models if model.state == "loading"}
        waiting = end_lost(list(self._jobs.values()), loading, reason)
        if not self._up.done():
            message = f"the engine process {reason} at start; the server's log has more"
            self._up.set_exception(EngineLost(message, ran=False))
            self._up.exception()
        self._up = asyncio.get_running_loop().create_future()
        self._on_memory_report(MemoryReport(()))
        self._loaded_any = False
        self.metrics.engine_restarts += 1
        for job in waiting:
            self._spawn(self._prepare(job))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
