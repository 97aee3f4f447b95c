"""A Runtime whose supervisor and fetches are fakes: no process, no model, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speechmlx.config import Config
from speechmlx.log import LogSettings
from speechmlx.models import store
from speechmlx.models.spec import Catalog, Model
from speechmlx.runtime import scratch
from speechmlx.runtime.front import runtime as module
from speechmlx.runtime.front import weights
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.runtime.front.supervisor import State
from speechmlx.runtime.ipc.messages import Ended, Failure, JobTimes, Setup, Start, ToEngine
from speechmlx.types import Kind, Progress, Request

TTS = Model(
    name="tts-row",
    kind=Kind.TTS,
    engine="speechmlx.engines.silero:load",
    sources=(),
    size=0,
    memory=0,
    rate=24000,
    licence="none",
    aliases=("alias",),
)
ASR = replace(TTS, name="asr-row", kind=Kind.ASR, aliases=())
CATALOG = Catalog((TTS, ASR), {"test": {Kind.TTS: "tts-row", Kind.ASR: "asr-row"}})
PROGRESS = Progress("fetch", 1, 2)


class FakeSupervisor:
    """Keeps what is sent to the engine process, and calls back as a test tells it to."""

    def __init__(
        self,
        setup: Setup,
        log: LogSettings,
        device: str,
        on_message: Callable[[object], None],
        on_up: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.setup = setup
        self.state: State = "starting"
        self.device, self.pid, self.model_memory = "fake", 7, 1000
        self.sent: list[ToEngine] = []
        self.recycled = 0
        self.useful = False
        self.refusal, self.choice = WorkRefusal(), device
        self.heard, self.running, self.loading = 0, True, False
        self.killed: list[str] = []
        self.say, self._on_up, self._on_lost = on_message, on_up, on_lost

    @property
    def up(self) -> bool:
        return self.state == "ok"

    def start(self) -> None:
        pass

    def send(self, message: ToEngine) -> None:
        self.sent.append(message)

    def kill(self, reason: str) -> None:
        self.killed.append(reason)
        self.end(reason)

    def recycle(self) -> None:
        self.state = "starting"
        self.recycled += 1

    def rest(self) -> None:
        self.state = "idle"

    def wake(self) -> None:
        self.state = "starting"

    async def stop(self) -> None:
        self.state = "stopped"

    def come_up(self) -> None:
        self.state = "ok"
        self._on_up()

    def end(self, reason: str) -> None:
        self.state = "degraded"
        self._on_lost(reason)

    def started(self) -> list[tuple[int, Request]]:
        return [(message.job, message.request) for message in self.sent if isinstance(message, Start)]


class Front:
    """A started runtime, its engine, and the fetches that it began."""

    def __init__(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders = {"tts-row": Path("/"), "asr-row": Path("/")}
        """Weights on this machine."""
        self.fetches: list[asyncio.Future[str]] = []
        monkeypatch.setattr(module, "Supervisor", FakeSupervisor)
        monkeypatch.setattr(store, "folder", lambda model, cache: self.folders.get(model.name))
        monkeypatch.setattr(scratch, "sweep", lambda: None)
        monkeypatch.setattr(weights, "fetch", self._fetch)
        self.runtime = Runtime(config, CATALOG)
        self.runtime._integrity.whole |= set(self.folders)  # a fake folder has nothing to compare
        engine: Any = self.runtime._engine
        self.engine: FakeSupervisor = engine

    async def _fetch(self, model: Model, cache: Path, on_progress: Callable[[Progress], None]) -> str:
        on_progress(PROGRESS)
        self.fetches.append(asyncio.get_running_loop().create_future())
        return await self.fetches[-1]

    def end(self, job: int, failure: Failure | None = None, times: JobTimes | None = None) -> None:
        self.engine.say(Ended(job, failure, times))
