"""The models in memory and their tasks: the worker loads, steps and frees, one bounded piece of work at a time."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

from speechmlx.engines import AIM, LONG_AIM, Claiming, Engine, Loader, LoadOptions, Paced, Seated
from speechmlx.errors import Busy, EngineFailed, OutOfMemory, SpeechError
from speechmlx.log import naming
from speechmlx.machine import model_memory
from speechmlx.models.spec import Model
from speechmlx.runtime.ipc.messages import (
    DEVICE_FAILED,
    Alive,
    CancelJob,
    HeldModel,
    Input,
    Loading,
    MemoryReport,
    OutputConsumed,
    Probe,
    Setup,
    Start,
)
from speechmlx.runtime.worker import memory
from speechmlx.runtime.worker.accounts import Account, Accounts
from speechmlx.runtime.worker.device import clear_cache, has_failed, memory_in_use, working_set
from speechmlx.runtime.worker.room import ModelRoom
from speechmlx.runtime.worker.scheduler import Candidate, pick
from speechmlx.runtime.worker.slot import Slot
from speechmlx.runtime.worker.step_meter import StepMeter
from speechmlx.runtime.worker.tasks import BatchedWork, Outcome, Task, batch_size, open_work
from speechmlx.runtime.worker.wired import keep_wired
from speechmlx.types import Load, Priority, Progress, Unload

log = logging.getLogger(__name__)

LISTEN = 60.0
"""Seconds to wait on the pipe when there is nothing to do."""

PAUSED = 5.0
"""Seconds without a step after which a job whose reader is behind no longer counts as a taken seat."""


class Worker:
    """Tasks and models: `handle` takes a message, `step` does one piece of work, `post` sends to the front."""

    def __init__(
        self, post: Callable[[object], None], options: LoadOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._post = post
        self._options = options
        self._clock = clock
        self.budget = sys.maxsize
        self._idle_unload = 0.0
        self._tasks: dict[int, Task] = {}
        self._slots: dict[str, Slot] = {}
        self._loads = 0
        self._loading = False
        """What the front was told last."""
        self._meter = StepMeter()
        self._accounts = Accounts()
        self._lag = 0.0
        """Seconds by which the client with several tasks that was served last is overdue."""
        self._device_failed = False
        self._wired = keep_wired("off", options.device, clock)

    def handle(self, message: object) -> None:
        match message:
            case Setup(memory_limit, idle_unload, context, keep):
                self.budget, self._idle_unload = model_memory(memory_limit, working_set()), idle_unload
                self._options = replace(self._options, context=context)
                self._wired = keep_wired(keep, self._options.device, self._clock)
            case Start():
                self._start(message)
            case Input(job, command) if job in self._tasks:
                self._tasks[job].receive(command)
            case OutputConsumed(job, count) if job in self._tasks:
                self._tasks[job].taken(count)
            case CancelJob(job) if job in self._tasks:
                self._tasks[job].cancelled = True
            case Probe():
                self._post(Alive())

    def step(self) -> bool:
        """Do one piece of work. Returns False when nothing can run. Raises SystemExit when the GPU has failed."""
        now = self._clock()
        self._unload_idle(now)
        self._device_failed |= self.keeps_wired and self._wired.pulse() is not None
        picked = pick([*self._loading_candidates(), *self._task_candidates()], now)
        self._tell_steps(now, idle=not picked)
        if not picked:
            self._lag = 0.0
        elif picked[0] < 0:
            self._tell_loading(True)
            self._load_slice(next(slot for slot in self._slots.values() if slot.id == picked[0]))
        else:
            self._tell_loading(False)
            self._step_tasks([self._tasks[id] for id in picked])
        if self._device_failed:  # engines keep arrays over requests, and what the GPU left out is garbage
            log.error("the GPU failed: this process ends, and another begins")
            raise SystemExit(DEVICE_FAILED)
        return bool(picked)

    @property
    def keeps_wired(self) -> bool:
        """Whether a live session is open for which the weights are kept wired: the worker then wakes up for that."""
        return self._wired.on and any(task.request.streams for task in self._tasks.values())

    def patience(self) -> float:
        """Seconds to wait for a message at most: then an idle model may be unloaded, or a paused job's seat is free."""
        most = PAUSED if any(task.work is None for task in self._tasks.values()) else LISTEN
        if self.keeps_wired:
            most = min(most, self._wired.wait())
        if not self._idle_unload:
            return most
        idle = [resident.last_used for resident in self.residents() if not resident.pinned and not resident.running]
        return max(0.0, min([most, *(used + self._idle_unload - self._clock() for used in idle)]))

    # --- tasks ---

    def _start(self, start: Start) -> None:
        account = self._accounts.of(start.client)
        others = (task.late for task in self._tasks.values() if task.account is account)
        task = Task(start, self._clock, self._post, account, min(self._lag, *others, self._lag))  # never before its own
        self._tasks[task.id] = task
        try:
            if isinstance(task.request, Unload):
                self._unload(start.model.name)
                self._end(task)
            elif start.model.name not in self._slots:
                self._begin_load(start)
        except Exception as error:
            self._end(task, error)

    def _task_candidates(self) -> list[Candidate]:
        candidates = []
        for task in self._tasks.values():
            slot = self._slots[task.model.name]
            ready = slot.engine is not None and self._has_seat(task, slot)
            candidates.append(task.candidate(ready, slot.max_streams if task.request.streams else slot.max_batch))
        return candidates

    def _has_seat(self, task: Task, slot: Slot) -> bool:
        """Whether the task is open, or a seat of its model is free that no task as urgent or more urgent holds."""
        if task.work is not None or isinstance(task.request, Load) or slot.seats == sys.maxsize:
            return True
        since = self._clock() - PAUSED
        taken = sum(
            isinstance(other.work, BatchedWork)
            and other.model.name == task.model.name
            and other.request.priority <= task.request.priority
            and (other.runnable or other.waiting_since > since)
            for other in self._tasks.values()
        )
        return taken < slot.seats

    def _step_tasks(self, tasks: list[Task]) -> None:
        """Step one task, or several that share a batch; end those that are finished or failed."""
        if tasks[0].cancelled:
            self._end(tasks[0])
            self._drop_unwanted(tasks[0])
            return
        start = self._clock()
        if tasks[0].client:
            self._note_lag(tasks[0].account, start)
        slot = self._slots[tasks[0].model.name]
        tasks = [task for task in tasks if self._open(task, slot)]
        self._set_pace(slot)
        outcomes = self._outcomes(tasks)
        now = slot.last_used = self._clock()
        self._meter.count(slot.model.name, now - start)
        # Live inputs take turns: each pays for its own. The batch of whole inputs works for all of them alike.
        for task in tasks:
            task.worked(now - start)
        paying = tasks[:1] if tasks and tasks[0].request.streams else tasks
        for task in paying:
            task.stepped(now - start)
        for account, priority in {(task.account, task.request.priority) for task in paying}:
            account.charge(now - start, priority, now)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._end(task, outcome)
            elif not outcome:
                self._end(task)

    def _note_lag(self, account: Account, now: float) -> None:
        """Remember how far a client with several tasks is overdue."""
        due = [task.due + task.behind for task in self._tasks.values() if task.account is account]
        if len(due) > 1:
            self._lag = max(0.0, now - min(due))

    def _set_pace(self, slot: Slot) -> None:
        """Tell an engine that is `Paced` how long its next step should take."""
        if isinstance(slot.engine, Paced):
            realtime = any(task.request.priority == Priority.REALTIME for task in self._tasks.values())
            slot.engine.aim = AIM if realtime else LONG_AIM
            self._meter.aim(slot.model.name, slot.engine.aim)

    def _outcomes(self, tasks: Sequence[Task]) -> Sequence[Outcome]:
        """Step open tasks that were picked together. An exception is the outcome of all of them."""
        if not tasks:
            return []
        work = tasks[0].work
        assert work is not None
        try:
            with naming([task.request_id for task in tasks]):
                return work.step(tasks)
        except Exception as error:
            return [error] * len(tasks)

    def _open(self, task: Task, slot: Slot) -> bool:
        """Begin the task's work. Returns False when there is none to step: the task ended or waits for a seat."""
        if isinstance(task.request, Load):
            slot.pinned |= task.request.pin
            self._tell_memory()
            self._end(task, self._wired.touch(slot.model.name))
            return False
        if not self._has_seat(task, slot):
            return False
        if task.work is None:
            assert slot.engine is not None
            try:
                with naming([task.request_id]):
                    task.begun(open_work(slot.engine, task), slot.loaded)
            except Exception as error:
                self._end(task, error)
                return False
        return True

    def _end(self, task: Task, error: Exception | None = None) -> None:
        """End the task. An error raised by freeing its work is told where there was no other."""
        del self._tasks[task.id]
        error = self._noted(task, error)
        closing = self._noted(task, task.close())
        error = error or closing
        task.end(error)
        if isinstance(error, OutOfMemory):
            self._free()

    def _noted(self, task: Task, error: Exception | None) -> Exception | None:
        """The error as the client is told it. Notes whether the GPU failed; an engine's own error is logged."""
        if error is None:
            return None
        self._device_failed |= has_failed(error)
        if isinstance(error, SpeechError):
            return error
        with naming([task.request_id]):
            log.error("job %d on %s failed", task.id, task.model.name, exc_info=error)
        return self._explained(error.with_traceback(None), task.model.name)

    def _explained(self, error: Exception, model: str) -> Exception:
        return memory.explained(error, model, memory_in_use(), self.residents(), self.budget)

    # --- models ---

    def residents(self) -> list[memory.Resident]:
        running = {task.model.name for task in self._tasks.values() if not isinstance(task.request, Unload)}
        return [
            memory.Resident(
                name, slot.nbytes + slot.held, slot.last_used, slot.pinned, name in running or slot.engine is None
            )
            for name, slot in self._slots.items()
        ]

    def _begin_load(self, start: Start) -> None:
        model = start.model
        wanted = model.bytes_as(self._options.dtype)
        for name in memory.evict(self.residents(), self.budget, wanted, model.name):
            self.drop(name)
        self._loads += 1
        loader = _loader(model, Path(start.folder), self._options)
        self._slots[model.name] = Slot(model, -self._loads, loader, wanted, self._clock())
        self._tell_memory()

    def _loading_candidates(self) -> list[Candidate]:
        return [slot.next_slice(self._waiting_for(slot)) for slot in self._slots.values() if slot.engine is None]

    def _waiting_for(self, slot: Slot) -> list[Task]:
        return [task for task in self._tasks.values() if task.model.name == slot.model.name]

    def _load_slice(self, slot: Slot) -> None:
        waiting, began = self._waiting_for(slot), self._clock()
        try:
            with naming([task.request_id for task in waiting]):
                progress = next(slot.loader)
        except StopIteration as loaded:
            slot.engine = loaded.value
            slot.nbytes = loaded.value.nbytes
            slot.loaded = self._clock()
            slot.max_batch, slot.max_streams = (batch_size(loaded.value, streams) for streams in (False, True))
            if isinstance(loaded.value, Claiming):
                slot.claiming = loaded.value
                slot.claiming.room = ModelRoom(slot.model.name, slot.nbytes, self)
            slot.seats = loaded.value.max_open if isinstance(loaded.value, Seated) else sys.maxsize
            self._wired.add(slot.model.name, slot.nbytes, slot.engine)
            self._tell_memory()
        except Exception as error:
            with naming([task.request_id for task in waiting]):
                log.error("loading %s failed", slot.model.name, exc_info=error)
            self._device_failed |= has_failed(error)
            error = self._explained(error, slot.model.name)
            if not isinstance(error, SpeechError):
                error = EngineFailed(f"loading {slot.model.name!r} failed: {type(error).__name__}: {error}")
            for task in waiting:
                self._end(task, error)
            self.drop(slot.model.name)
        else:
            for task in waiting:
                if isinstance(task.request, Load):
                    task.post_event(progress)
        slot.sliced(began, self._clock())
        self._meter.count_slice()

    def _unload(self, name: str) -> None:
        if any(task.model.name == name and not isinstance(task.request, Unload) for task in self._tasks.values()):
            raise Busy(f"the model {name!r} is in use; try again when its jobs are done", retry_after=5.0)
        if name in self._slots:
            self.drop(name)

    def _drop_unwanted(self, task: Task) -> None:
        """Drop a model that is still loading when its Load was cancelled and no other task waits for it."""
        slot = self._slots.get(task.model.name)
        wanted = any(other.model.name == task.model.name for other in self._tasks.values())
        if isinstance(task.request, Load) and slot is not None and slot.engine is None and not wanted:
            self.drop(task.model.name)

    def _unload_idle(self, now: float) -> None:
        expired = memory.expired(self.residents(), now, self._idle_unload) if self._idle_unload else []
        for name in expired:
            self.drop(name)

    def drop(self, name: str) -> None:
        slot = self._slots.pop(name)
        slot.loader.close()
        slot.engine = slot.claiming = None
        del slot
        self._wired.remove(name)
        self._free()
        self._tell_memory()

    def _free(self) -> None:
        gc.collect()
        clear_cache()

    def _tell_steps(self, now: float, idle: bool) -> None:
        waiting = sum(task.work is None for task in self._tasks.values())
        if (report := self._meter.report(now, waiting, idle)) is not None:
            self._post(report)

    def _tell_loading(self, now: bool) -> None:
        if now != self._loading:
            self._loading = now
            self._post(Loading(now))

    def _tell_memory(self) -> None:
        self._post(
            MemoryReport(
                tuple(
                    HeldModel(name, "loading" if slot.engine is None else "loaded", slot.nbytes, slot.pinned)
                    for name, slot in self._slots.items()
                )
            )
        )


def _loader(model: Model, folder: Path, options: LoadOptions) -> Generator[Progress, None, Engine]:
    """Load with the function that the row names. The first slice imports its module."""
    module, _, function = model.engine.partition(":")
    load: Loader = getattr(importlib.import_module(module), function)
    yield Progress("load", 0, 1, "import")
    return (yield from load(folder, options))
