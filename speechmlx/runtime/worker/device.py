"""The device that MLX computes on here, how models are loaded for it, and freeing the memory that MLX keeps."""

from __future__ import annotations

import sys

from speechmlx.engines import LoadOptions
from speechmlx.runtime.worker import blas


def clear_cache() -> None:
    """Give back what MLX, where an engine brought it in, and the allocator keep of freed arrays."""
    if mx := sys.modules.get("mlx.core"):
        mx.clear_cache()
    blas.release()


def device() -> tuple[LoadOptions, str]:
    """How models are loaded here, and MLX's device in words. Replaces slow operations on MLX's CPU backend."""
    import mlx.core as mx

    if mx.default_device().type == mx.gpu:
        mx.set_cache_limit(2 * 1024**3)
        return LoadOptions(dtype="float16", device="gpu"), str(mx.default_device())
    from speechmlx.engines import cpu

    cpu.install()
    return LoadOptions(dtype="float32", device="cpu"), str(mx.default_device())
