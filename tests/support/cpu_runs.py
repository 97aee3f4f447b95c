"""Code that runs as on a CPU, also on a Mac whose tests run on its GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx

from speechmlx.engines import LoadOptions


@contextmanager
def on_cpu() -> Iterator[LoadOptions]:
    """MLX computes on the CPU while it is open. Gives how models are loaded for one, without a warm-up."""
    before = mx.default_device()
    mx.set_default_device(mx.cpu)
    try:
        yield LoadOptions(device="cpu", warm_up=False)
    finally:
        mx.set_default_device(before)
