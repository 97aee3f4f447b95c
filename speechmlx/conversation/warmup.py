"""Loading models before a conversation needs them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from speechmlx.conversation.engines import Engines
from speechmlx.errors import SpeechError
from speechmlx.types import Kind, Load


class ModelWarmup:
    """Loads models beside the conversation. Errors are ignored here: the request that needs the model reports them."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, *kinds: Kind) -> None:
        """Load the defaults of these kinds, in order."""
        task = asyncio.create_task(self._load(kinds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop waiting for what is being loaded."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, kinds: tuple[Kind, ...]) -> None:
        for kind in kinds:
            with suppress(SpeechError):
                await self._engines.submit(Load(model=self._engines.model(None, kind).name)).finished()
