"""Selects the models to unload, for room or because they are idle, and says when memory ran out. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.errors import Busy, ModelUnavailable, OutOfMemory

REFUSED = re.compile(r"malloc|allocat|out of memory|insufficient memory", re.IGNORECASE)
"""What MLX's errors say when there is no memory, on Metal and on a CPU."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in memory: `nbytes` of weights and of what its requests hold, `last_used` on a monotonic clock."""

    name: str
    nbytes: int
    last_used: float
    pinned: bool = False
    running: bool = False


def evict(residents: Sequence[Resident], budget: int, needed: int, name: str) -> list[str]:
    """Names of the idle models to unload so that the `needed` bytes of `name` fit, least recently used first.

    `budget`: bytes for all models. Raises Busy, with the numbers, when unloading all idle models is not enough, and
    ModelUnavailable when the model alone is larger than the budget.
    """
    if needed > budget:
        raise ModelUnavailable(
            f"the model {name} needs {_mb(needed)} of memory and all models together may have {_mb(budget)}. "
            "To fix this: raise --memory-limit; or use a smaller model (`audio-server models`)"
        )
    leaving, free = _leaving(residents, budget, needed)
    if free >= needed:
        return leaving
    raise Busy(
        f"not enough memory for the model {name}: {_mb(needed)} wanted, {_mb(budget)} allowed (--memory-limit), "
        f"{_mb(budget - free)} held by pinned or running models",
        retry_after=5.0,
    )


def make_room(others: Sequence[Resident], budget: int, weights: int, wanted: int, name: str) -> list[str]:
    """Names of the idle models to unload so that the requests of the model `name` may hold `wanted` bytes in all.

    `others`: the models but this one, which has `weights` bytes itself. Raises Busy, with the numbers, when unloading
    all idle models is not enough.
    """
    leaving, free = _leaving(others, budget, weights + wanted)
    if free >= weights + wanted:
        return leaving
    raise Busy(
        f"not enough memory for one more request to the model {name}: the keys and values of its requests would be "
        f"{_mb(wanted)}, its weights are {_mb(weights)}, {_mb(budget)} are allowed (--memory-limit), and "
        f"{_mb(budget - free)} are held by other models that are pinned or running",
        retry_after=5.0,
    )


def _leaving(residents: Sequence[Resident], budget: int, needed: int) -> tuple[list[str], int]:
    """The idle models to unload for `needed` bytes, least recently used first; and the bytes that are free then."""
    free = budget - sum(resident.nbytes for resident in residents)
    leaving: list[str] = []
    idle = sorted((r for r in residents if not r.pinned and not r.running), key=lambda r: r.last_used)
    for resident in idle:
        if free >= needed:
            break
        leaving.append(resident.name)
        free += resident.nbytes
    return leaving, free


def explained(error: Exception, model: str, held: int, residents: Sequence[Resident], budget: int) -> Exception:
    """OutOfMemory with the numbers where `error` says that there was no memory, else `error` itself.

    `held`: bytes that MLX holds.
    """
    is_mlx = isinstance(error, RuntimeError) and REFUSED.search(str(error))
    if not is_mlx and not isinstance(error, MemoryError):
        return error
    models = sum(resident.nbytes for resident in residents)
    return OutOfMemory(
        f"out of memory for the model {model} ({str(error).strip() or 'MemoryError'}): MLX holds {_mb(held)}, the "
        f"models are {_mb(models)} of the {_mb(budget)} allowed (--memory-limit). To fix this: lower --memory-limit, "
        "or send shorter input or fewer requests at once",
        retry_after=5.0,
    )


def expired(residents: Sequence[Resident], now: float, idle_unload: float) -> list[str]:
    """Names of the idle models that were not used for `idle_unload` seconds. 0 means never."""
    if not idle_unload:
        return []
    return [r.name for r in residents if not r.pinned and not r.running and now - r.last_used >= idle_unload]


def _mb(nbytes: int) -> str:
    return f"{nbytes / 1e6:.0f} MB"
