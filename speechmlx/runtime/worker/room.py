"""The memory that the requests of a model may hold: what the budget leaves beside the weights of all models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechmlx.runtime.worker import memory


class Models(Protocol):
    """The models in memory, with `budget` bytes for all."""

    budget: int

    def residents(self) -> Sequence[memory.Resident]: ...

    def drop(self, name: str) -> None:
        """Unload an idle model."""


class ModelRoom:
    """An engines.Room: of the model `name` with `weights` bytes of weights, among `models`."""

    def __init__(self, name: str, weights: int, models: Models) -> None:
        self._name = name
        self._weights = weights
        self._models = models

    @property
    def most(self) -> int:
        return self._models.budget - self._weights

    @property
    def reachable(self) -> int:
        others = (one for one in self._models.residents() if one.name != self._name)
        return self.most - sum(one.nbytes for one in others if one.pinned or one.running)

    @property
    def free(self) -> int:
        return self._models.budget - sum(resident.nbytes for resident in self._models.residents())

    def claim(self, nbytes: int) -> None:
        """Unloads idle models for it. Raises Busy where that is not enough."""
        others = [resident for resident in self._models.residents() if resident.name != self._name]
        for name in memory.make_room(others, self._models.budget, self._weights, nbytes, self._name):
            self._models.drop(name)
