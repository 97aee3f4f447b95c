"""The MLX arrays that an object holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MethodType
from typing import Any

import mlx.core as mx

OURS = ("speechmlx.engines", "mlx", "mlx_lm", "mlx_audio")
"""Packages whose objects and functions hold weights. What an engine is given by its process leads to other models."""


def arrays_of(*held: object) -> list[mx.array]:
    """The arrays in attributes, containers, closures and what functions are bound to, each once."""
    found: dict[int, mx.array] = {}
    seen: set[int] = set()
    waiting = [*held]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, mx.array):
            found[id(item)] = item
        else:
            waiting += _inside(item)
    return list(found.values())


def bytes_of(*held: object) -> int:
    """Bytes of the arrays that are held."""
    return sum(array.nbytes for array in arrays_of(*held))


def _inside(item: Any) -> Iterator[object]:
    if isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, list | tuple | set | frozenset):
        yield from item
    elif isinstance(item, partial):
        yield from (item.func, *item.args, *item.keywords.values())
    elif isinstance(item, MethodType):
        yield from (item.__self__, item.__func__)
    if not (_is_ours(type(item)) or (hasattr(item, "__closure__") and _is_ours(item))):
        return
    for cell in getattr(item, "__closure__", None) or ():  # of a function, compiled or not
        try:
            yield cell.cell_contents
        except ValueError:  # not set yet
            continue
    yield from getattr(item, "__dict__", {}).values()
    for kind in type(item).__mro__:
        slots = vars(kind).get("__slots__", ())
        yield from (getattr(item, name, None) for name in ((slots,) if isinstance(slots, str) else slots))


def _is_ours(item: Any) -> bool:
    module = str(item.__module__)
    return any(module == package or module.startswith(f"{package}.") for package in OURS)
