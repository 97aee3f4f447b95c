"""KeepWired: keeps the weights where the GPU reads them, between the turns of a live session.

macOS takes memory from the GPU that it has not used for about a second, and others measured that the first step after
such a pause is several times slower. Whether this helps with these models on a Mac is unmeasured.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from speechmlx.runtime.worker.device import clear_cache, has_failed, working_set

log = logging.getLogger(__name__)

PULSE = 0.5
"""Seconds between two small evaluations while a live session is open."""
SMALL = 64 * 1024
"""Bytes of an array that is left alone: the larger ones are nearly all of a model."""


class WiredMemory(Protocol):
    """MLX, as far as it is needed here."""

    def free(self) -> None:
        """Give back the memory that nothing holds any more."""

    def set_limit(self, nbytes: int) -> None:
        """Let so many bytes stay wired, or as many as the device recommends where that is less."""

    def evaluate(self) -> None:
        """A small evaluation that reads no weights."""

    def touch(self, arrays: Sequence[Any]) -> None:
        """An evaluation that reads one element of each array."""


class KeepWired:
    """`on`: it does anything at all. `limits`: MLX's wired limit follows the weights, too. `clock` in seconds.

    What MLX refuses is logged, and turns it off.
    """

    def __init__(self, memory: WiredMemory, clock: Callable[[], float], on: bool = True, limits: bool = False) -> None:
        self.on = on
        self._memory = memory
        self._clock = clock
        self._limits = limits
        self._weights: dict[str, list[Any]] = {}
        self._nbytes: dict[str, int] = {}
        self._due = 0.0
        """When the next small evaluation is due."""

    def add(self, model: str, nbytes: int, engine: object) -> None:
        """A model of `nbytes` is in memory."""
        if self.on:
            self._weights[model], self._nbytes[model] = weights_of(engine), nbytes
            self._fit()

    def remove(self, model: str) -> None:
        """A model leaves memory."""
        if self._weights.pop(model, None) is not None:
            del self._nbytes[model]
            self._fit()

    def touch(self, model: str) -> RuntimeError | None:
        """Bring the weights of a model back: a person begins to speak.

        Returns an error that says that the GPU failed.
        """
        if weights := self._weights.get(model):
            return self._evaluate(partial(self._memory.touch, weights))
        return None

    def pulse(self) -> RuntimeError | None:
        """Evaluate a little where that is due, while a live session is open. Returns what `touch` returns."""
        return self._evaluate(self._memory.evaluate) if self.wait() == 0.0 else None

    def wait(self) -> float:
        """Seconds until the next `pulse` is due."""
        return max(0.0, self._due - self._clock())

    def _fit(self) -> None:
        """Set the limit to the weights that are in memory.

        What nothing holds goes first: MLX wires or unwires any of its memory until it fits the limit, and what is dead
        would stay or come in the place of weights.
        """
        if self._limits:
            self._try(self._memory.free)
            self._try(partial(self._memory.set_limit, sum(self._nbytes.values())))

    def _evaluate(self, action: Callable[[], None]) -> RuntimeError | None:
        error = self._try(action)
        self._due = self._clock() + PULSE
        return error

    def _try(self, action: Callable[[], None]) -> RuntimeError | None:
        """Do it while `on`. Returns an error that says that the GPU failed; any other turns it off."""
        try:
            if self.on:
                action()
        except (RuntimeError, ValueError) as error:
            if isinstance(error, RuntimeError) and has_failed(error):
                return error
            log.warning("keep_wired has no effect here: %s", error)
            self.on = False
            self._weights.clear()
            self._nbytes.clear()
        return None


def keep_wired(setting: str, device: str, clock: Callable[[], float]) -> KeepWired:
    """What the setting of this name asks for on a `device`, "cpu" or "gpu"."""
    on = setting in ("touch", "limit") or (setting == "auto" and device == "gpu")
    return KeepWired(MlxMemory(), clock, on, limits=setting == "limit")


class MlxMemory:
    """`WiredMemory` on MLX."""

    def free(self) -> None:
        gc.collect()
        clear_cache()

    def set_limit(self, nbytes: int) -> None:
        import mlx.core as mx

        recommended = working_set()
        mx.set_wired_limit(min(nbytes, recommended) if recommended else nbytes)

    def evaluate(self) -> None:
        import mlx.core as mx

        mx.eval(mx.ones((8, 8)) @ mx.ones((8, 8)))

    def touch(self, arrays: Sequence[Any]) -> None:
        import mlx.core as mx

        elements = [array[(slice(0, 1),) * array.ndim].reshape(1).astype(mx.float32) for array in arrays]
        mx.eval(mx.concatenate(elements))


def weights_of(engine: object) -> list[Any]:
    """The MLX arrays that an engine holds, without SMALL ones and each once."""
    from speechmlx.engines.parts.held_arrays import arrays_of

    return [array for array in arrays_of(engine) if array.nbytes >= SMALL]
