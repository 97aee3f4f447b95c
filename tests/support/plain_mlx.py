"""MLX's own operations in a process where the CPU's fast ones are in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import mlx.core as mx
from support.compilation import compilation

from speechmlx.engines.cpu import attention, functions, rotary

PLAIN: tuple[tuple[Any, str, Any], ...] = (
    *((mx, name, plain) for name, plain in functions.ORIGINALS.items()),
    (mx.fast, "rope", rotary.ORIGINAL),
    (mx.fast, "scaled_dot_product_attention", attention.ORIGINAL),
)


@contextmanager
def plain_mlx(compiled: bool = False) -> Iterator[None]:
    """While it is open nothing computes at once, as on a GPU: what is built is a graph, `compiled` where code asks."""
    with ExitStack() as patches:
        for where, name, plain in PLAIN:
            patches.enter_context(patch.object(where, name, plain))
        if compiled:
            patches.enter_context(compilation(True))
        yield
