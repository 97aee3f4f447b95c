"""PinnedModels: models that stay in memory, loaded again into every engine process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from speechmlx.errors import Busy, Draining, EngineLost, ModelUnavailable, NoRoom, SpeechError, WeightsDamaged
from speechmlx.runtime.front.job import Job
from speechmlx.types import Load, Priority, Request

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 2.0, 300.0
"""Seconds until a model that could not be fetched is tried again: the first, doubled each time up to the second."""


class PinnedModels:
    """`names` of the models to keep. `submit` starts a job, `spawn` runs a coroutine beside the others."""

    def __init__(self, submit: Callable[[Request], Job], spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.names: set[str] = set()
        self._submit = submit
        self._spawn = spawn
        self._loading: set[str] = set()

    def pin(self, name: str) -> None:
        """Load a model, now and into every later engine process, until its name leaves `names`."""
        self.names.add(name)
        if name in self._loading:
            return
        self._loading.add(name)
        self._spawn(self._load(name))

    def load_all(self) -> None:
        """Load all of them into an engine process that has just started."""
        for name in list(self.names):
            self.pin(name)

    async def _load(self, name: str) -> None:
        """Try again while there is no room for a job or the fetch fails. Unpin a model that cannot be loaded."""
        pause = FIRST_RETRY
        try:
            while name in self.names:
                job = None
                try:
                    job = self._submit(Load(model=name, pin=True, priority=Priority.BULK))
                    await job.finished()
                    return
                except Busy as error:
                    log.warning("preloading %s waits: %s", name, error)
                    await asyncio.sleep(error.retry_after or 1.0)
                except (ModelUnavailable, NoRoom) as error:
                    fetched_again = isinstance(error, WeightsDamaged) and error.retry_after
                    if job is not None and job.started and not fetched_again:
                        # Its weights are here and do not fit, or are damaged as they come: a later try would fail, too.
                        self._give_up(name, error)
                        return
                    log.warning("preloading %s: %s Trying again in %.0f s", name, error, pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LAST_RETRY)
        except (EngineLost, Draining):
            pass  # the next engine process loads it
        except SpeechError as error:
            self._give_up(name, error)
        finally:
            self._loading.discard(name)

    def _give_up(self, name: str, error: SpeechError) -> None:
        log.error("preloading %s failed, it is loaded when it is asked for: %s", name, error)
        self.names.discard(name)
