"""Modules that are imported with the first request that needs them, in a thread: others are answered meanwhile."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib import import_module
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")
Handler = Callable[Parameters, Awaitable[Answer]]

_imported: set[str] = set()
_one = threading.Lock()
"""Held by who imports: where modules import each other, two threads at once may find one of them half made."""


def after_import(module: str) -> Callable[[Handler[Parameters, Answer]], Callable[Parameters, Awaitable[Answer]]]:
    """Decorator: the handler runs when `module` is imported. Its own import of it takes no time then."""

    def decorated(handler: Handler[Parameters, Answer]) -> Callable[Parameters, Awaitable[Answer]]:
        @wraps(handler)
        async def handle(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            if module not in _imported:
                await asyncio.to_thread(_import, module)
                _imported.add(module)
            return await handler(*args, **kwargs)

        return handle

    return decorated


def _import(module: str) -> None:
    """Import it, and leave it out of collections like what was imported at start.

    A full collection stops every thread. With all of these modules it took 2 to 6 ms (Linux).
    """
    with _one:
        import_module(module)
    gc.collect()  # garbage must not stay for ever
    gc.freeze()
