"""Which models a conversation is held with: those a client means, and having them in memory before they are needed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from speechmlx.errors import SpeechError, UnknownModel
from speechmlx.models.spec import Model
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind, Load


def meant(runtime: Runtime, name: str | None, kind: Kind) -> Model:
    """The model of `kind` called `name`, else, as clients name what they know from elsewhere, the default.

    Raises UnknownModel when there is no default.
    """
    try:
        return runtime.model(name, kind)
    except UnknownModel:
        return runtime.model(None, kind)


class ModelWarmup:
    """Loads models beside the conversation; what goes wrong is said when they are needed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, *kinds: Kind) -> None:
        """The defaults of these kinds, in order."""
        task = asyncio.create_task(self._load(kinds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, kinds: tuple[Kind, ...]) -> None:
        for kind in kinds:
            with suppress(SpeechError):
                name = self._runtime.model(None, kind).name
                if any(model.name == name for model in self._runtime.status().models):
                    continue
                await self._runtime.submit(Load(model=name)).finished()
