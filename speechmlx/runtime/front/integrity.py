"""Integrity: weights are compared with their digests before their first use, and set aside when they are damaged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from speechmlx.errors import SpeechError, WeightsDamaged
from speechmlx.models import store

if TYPE_CHECKING:
    from speechmlx.models.spec import Model

log = logging.getLogger(__name__)


class Integrity:
    """What is known of the weights in `cache`. The files are read in threads, each model's once for all its jobs."""

    def __init__(self, cache: Path) -> None:
        self.whole: set[str] = set()
        """Names of the models whose weights were compared, or fetched, by this process."""
        self._cache = cache
        self._checks: dict[str, asyncio.Task[bool]] = {}
        self._refusals: dict[str, asyncio.Task[bool]] = {}
        self._set_aside: set[str] = set()
        """Names of the models whose weights the engine process refused once."""

    async def check(self, model: Model) -> bool:
        """Whether the weights of `model` are as they were fetched. Damaged ones are set aside: fetch them again.

        Raises WeightsDamaged where they cannot be set aside.
        """
        if model.name in self.whole:
            return True
        task = self._checks.get(model.name)
        if task is None:
            task = self._checks[model.name] = asyncio.create_task(self._check(model))
            task.add_done_callback(lambda _: self._checks.pop(model.name, None))
        return await asyncio.shield(task)

    async def refused(self, model: Model, reason: str) -> bool:
        """The engine process found the weights damaged. Set them aside; False where that was no help before."""
        task = self._refusals.get(model.name)
        if task is None and model.name in self._set_aside:
            log.error("the weights of %s are damaged again, as they were fetched: %s", model.name, reason)
            return False
        if task is None:
            self._set_aside.add(model.name)
            task = self._refusals[model.name] = asyncio.create_task(self._quarantine(model, reason))
            task.add_done_callback(lambda _: self._refusals.pop(model.name, None))
        return await asyncio.shield(task)

    async def _check(self, model: Model) -> bool:
        reason = await asyncio.to_thread(store.damage, model, self._cache)
        if reason is None:
            self.whole.add(model.name)
        elif not await self._quarantine(model, reason):
            raise WeightsDamaged(
                f"the weights of {model.name!r} are damaged and their folder cannot be moved: {reason}. To fix this: "
                f"run `audio-server rm {model.name}` as a user who may write the cache folder"
            )
        return reason is None

    async def _quarantine(self, model: Model, reason: str) -> bool:
        """Whether the weights could be moved away."""
        self.whole.discard(model.name)
        try:
            place = await asyncio.to_thread(store.quarantine, model, self._cache)
        except (OSError, SpeechError) as error:
            log.error("the weights of %s are damaged and cannot be set aside: %s; %s", model.name, reason, error)
            return False
        log.error("the weights of %s are damaged: %s. They are now in %s", model.name, reason, place)
        return True
