"""The device that MLX computes on, how models are loaded for it, and how to free the memory that MLX caches."""

from __future__ import annotations

import sys

from speechmlx.engines import LoadOptions
from speechmlx.runtime.worker import blas

FAILURE = "[METAL]"
"""What MLX's RuntimeErrors of a failed command buffer say (mlx/backend/metal/device.cpp)."""


def has_failed(error: BaseException) -> bool:
    """Whether `error` says that the GPU failed: what it should have written is anything then, wherever it is kept."""
    return isinstance(error, RuntimeError) and FAILURE in str(error)


def clear_cache() -> None:
    """Return the memory of freed arrays that MLX (if an engine imported it) and the allocator keep."""
    if mx := sys.modules.get("mlx.core"):
        mx.clear_cache()
    blas.release()


def memory_in_use() -> int:
    """Bytes that MLX holds, in arrays and in its cache; 0 while no engine has imported it."""
    mx = sys.modules.get("mlx.core")
    return mx.get_active_memory() + mx.get_cache_memory() if mx else 0


def device() -> tuple[LoadOptions, str]:
    """How to load models on this machine, and the name of MLX's device. On a CPU, replaces MLX's slow operations."""
    import mlx.core as mx

    if mx.default_device().type == mx.gpu:
        mx.set_cache_limit(2 * 1024**3)
        return LoadOptions(dtype="float16", device="gpu"), str(mx.default_device())
    from speechmlx.engines import cpu

    cpu.install()
    return LoadOptions(dtype="float32", device="cpu"), str(mx.default_device())
