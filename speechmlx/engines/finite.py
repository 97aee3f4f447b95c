"""The check that what a model computed are finite numbers. It looks at arrays that are read from the device anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", bound=NDArray[np.generic])


class NotFinite(ArithmeticError):
    """A model computed values that are no finite numbers; `str` says in which stage. Clients get `engine_failed`."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"{stage} gave values that are not finite numbers: its weights or the device are at fault")


def finite(values: Numbers, stage: str) -> Numbers:
    """`values`, read from the device after `stage`. Raises NotFinite where one is NaN or infinite."""
    if not np.isfinite(values).all():
        raise NotFinite(stage)
    return values


def raise_first(events: Sequence[Sequence[object]]) -> None:
    """Raise the first error among the events of a step: what warms a model up must fail with it."""
    for event in (event for state in events for event in state):
        if isinstance(event, Exception):
            raise event
