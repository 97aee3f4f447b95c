"""Imports modules of mlx-lm without running the package's own initialisation.

`import mlx_lm` brings in transformers, for tokenizers and conversions: that takes more than a second on the thread that
serves live sessions. The networks and their caches need none of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

PACKAGE = "mlx_lm"


def load_module(name: str) -> ModuleType:
    """The module `name` of mlx-lm, like "models.cache". Raises ModuleNotFoundError."""
    with _uninitialised(PACKAGE):
        return importlib.import_module(f"{PACKAGE}.{name}")


@contextmanager
def _uninitialised(name: str) -> Iterator[None]:
    """Inside, modules of package `name` can be imported though its __init__ has not run. Afterwards it still can."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is None:
        yield
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        yield
    finally:
        del sys.modules[name]
