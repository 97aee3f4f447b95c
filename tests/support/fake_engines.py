"""Engines without a process: jobs whose events a function gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Self

from speechmlx.errors import UnknownModel
from speechmlx.models.spec import Model
from speechmlx.types import Event, Kind, Request

Step = Event | float | Exception
"""What a job does next: give an event, wait so many seconds, or fail."""


class FakeJob:
    """A job as a conversation uses it."""

    def __init__(self, request: Request, steps: Iterable[Step]) -> None:
        self.request = request
        self.left = False
        self._steps = iter(steps)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if not isinstance(step, float):
                return step
            await asyncio.sleep(step)
        raise StopAsyncIteration

    async def finished(self) -> None:
        async with self:
            async for _ in self:
                pass


class FakeEngines:
    """`run` gives the steps of a request's job; `rows` are the default models."""

    def __init__(self, run: Callable[[Any], Iterable[Step]] = lambda request: (), rows: Iterable[Model] = ()) -> None:
        self.jobs: list[FakeJob] = []
        self._run = run
        self._rows = {row.kind: row for row in rows}

    def submit(self, request: Request) -> Any:
        self.jobs.append(FakeJob(request, self._run(request)))
        return self.jobs[-1]

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        row = None if kind is None else self._rows.get(kind)
        if row is None or name not in (None, row.name):
            raise UnknownModel(f"there is no {kind} model {name!r}")
        return row

    def requests(self, of: type[Request]) -> Iterator[Any]:
        """The requests of one class, in order."""
        return (job.request for job in self.jobs if isinstance(job.request, of))


def row(kind: Kind, **fields: Any) -> Model:
    """A row of the catalog whose engine is never loaded."""
    made = Model(
        name=f"fake-{kind}", kind=kind, engine="none:load", sources=(), size=0, memory=0, rate=24000, licence="none"
    )
    return replace(made, **fields)
