"""Loading models before a conversation needs them, and touching them when a person begins to speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from speechmlx.conversation.engines import Engines
from speechmlx.errors import SpeechError
from speechmlx.models.spec import Model
from speechmlx.types import Kind, Load, Priority

Need = Kind | Callable[[], Model]
"""A kind, for its default model, or what tells the model. It may raise UnknownModel."""


class ModelWarmup:
    """Loads models beside the conversation. Errors are ignored here: the request that needs the model reports them."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._needs: dict[Need, None] = {}
        """In order, each once."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._touching: asyncio.Task[None] | None = None

    def begin(self, *needs: Need) -> None:
        """Load these models, in order."""
        self._needs |= dict.fromkeys(needs)
        self._spawn(self._load(needs, Priority.INTERACTIVE))

    def touch(self) -> None:
        """Make all of them ready: load those that left memory, and touch the weights of the others (`keep_wired`).

        Nothing while that is still under way.
        """
        if self._touching is None or self._touching.done():
            self._touching = self._spawn(self._load(self._needs, Priority.REALTIME))

    async def close(self) -> None:
        """Stop waiting for what is being loaded."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _load(self, needs: Iterable[Need], priority: Priority) -> None:
        names = []
        for need in list(needs):
            with suppress(SpeechError):
                names.append((self._engines.model(None, need) if isinstance(need, Kind) else need()).name)
        for name in dict.fromkeys(names):
            with suppress(SpeechError):
                await self._engines.submit(Load(model=name, priority=priority)).finished()
