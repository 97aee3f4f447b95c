"""`Engines` without a process in which a model hears and speaks at once: that of scripted_duplex.py."""

from __future__ import annotations

from typing import Any

from support.scripted_duplex import RATE, VOICES, Echo
from support.scripted_input import ScriptedInput

from speechmlx.errors import BadRequest
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.types import Converse, Kind, Request


class DuplexEngines(ScriptedInput):
    """`Engines` without a process: beside those of ScriptedInput, this model."""

    row = Model(
        name="echo", kind=Kind.S2S, engine="none:load", sources=(), size=0, memory=0, rate=RATE, licence="none",
        voices=VOICES, duplex=True,
    )  # fmt: skip

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        return self.row if kind is Kind.S2S else super().model(name, kind, live)

    def _start(self, job: Job, request: Request) -> None:
        if isinstance(request, Converse) and Kind.S2S not in self.fails:
            streams: dict[int, Any] = self._streams
            streams[job.id] = Echo(request)
        else:
            super()._start(job, request)

    def _input(self, job: Job, command: object) -> None:
        try:
            super()._input(job, command)
        except BadRequest as error:
            self._streams.pop(job.id)
            job.finish_with(error)
