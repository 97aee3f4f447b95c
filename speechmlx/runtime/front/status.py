"""The state of the runtime at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechmlx.runtime.front.supervisor import State
from speechmlx.types import Kind, Progress


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that is fetched, loaded or in memory: `nbytes` of memory; `progress` of its fetch."""

    name: str
    kind: Kind
    state: Literal["fetching", "loading", "loaded"]
    pinned: bool = False
    nbytes: int = 0
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The state, MLX device and process id of the engine process; how many jobs run or wait; the models.

    `model_memory`: bytes that all models may have.
    """

    engine: State
    device: str
    pid: int
    jobs: int
    models: tuple[ModelStatus, ...]
    model_memory: int
