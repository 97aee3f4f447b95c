"""A worker without its process, on a clock of the test, and chats on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support import scripted

from speechmlx.engines import LoadOptions
from speechmlx.runtime.ipc.messages import Ended, MemoryReport, Output, Setup, Start
from speechmlx.runtime.worker.worker import Worker
from speechmlx.types import Event, Generate, Message, Priority, Request, Speak

ROWS = {row.name: row for row in scripted.ROWS}


class Bench:
    """A worker, what it said, and its clock."""

    def __init__(self, memory: int = 2_000_000_000, idle_unload: float = 0.0, **options: Any) -> None:
        self.said: list[object] = []
        self.now = 0.0
        self.worker = Worker(self.said.append, LoadOptions(**options), clock=lambda: self.now)
        self.worker.handle(Setup(memory, idle_unload))
        self._id = 0

    def start(self, request: Request, model: str = "scripted") -> int:
        self._id += 1
        self.worker.handle(Start(self._id, request, ROWS[model], "", request_id=f"req_{self._id}"))
        return self._id

    def speak(self, script: str = "", model: str = "scripted", **rest: object) -> int:
        return self.start(Speak(text=script, **rest), model)  # type: ignore[arg-type]

    def run(self, steps: int = 1000) -> int:
        for count in range(steps):
            self.now += 0.001
            if not self.worker.step():
                return count
        return steps

    def events(self, job: int) -> list[Event]:
        return [m.event for m in self.said if isinstance(m, Output) and m.job == job]

    def order(self) -> list[int]:
        return [m.job for m in self.said if isinstance(m, Output)]

    def end(self, job: int) -> Ended:
        (ended,) = [m for m in self.said if isinstance(m, Ended) and m.job == job]
        return ended

    def ended(self, job: int) -> bool:
        return any(isinstance(m, Ended) and m.job == job for m in self.said)

    def held(self) -> list[str]:
        (*_, last) = [m for m in self.said if isinstance(m, MemoryReport)]
        return [held.name for held in last.models]


class Chats:
    """Chats whose comings and goings are in one trace."""

    def __init__(self, trace: Path) -> None:
        self.bench = Bench()
        self._trace = trace

    def start(self, steps: int = 40, priority: Priority = Priority.INTERACTIVE) -> int:
        script = Message("user", f"steps={steps} trace={self._trace}")
        return self.bench.start(Generate(messages=(script,), priority=priority), "scripted-llm")

    def most_open(self) -> int:
        """The most that were open at once."""
        count = most = 0
        for line in self._trace.read_text().splitlines():
            count += {"open": 1, "close": -1}.get(json.loads(line)["what"], 0)
            most = max(most, count)
        return most
