"""The device that MLX computes on, how models are loaded for it, and how to free the memory that MLX caches."""

from __future__ import annotations

import logging
import re
import sys

from speechmlx.engines import LoadOptions
from speechmlx.machine import CACHE_SHARE, memory_bytes
from speechmlx.runtime.worker import blas

log = logging.getLogger(__name__)

FAILURE = re.compile(r"\[METAL\]|^(?!cudaMalloc.*out of memory)cu\w+(\(.*\))? failed", re.DOTALL)
"""What MLX's RuntimeErrors of a failed command buffer say (mlx/backend/metal/device.cpp), and those of a failed call of
CUDA or its libraries, which they name with its arguments (mlx/backend/cuda). Memory that is refused is no failure."""


def has_failed(error: BaseException) -> bool:
    """Whether `error`, or one that it came from, says that the GPU failed.

    What it should have written is anything then, wherever it is kept.
    """
    known, waiting = set[int](), [error]
    while waiting:
        one = waiting.pop()
        if id(one) in known:
            continue
        if isinstance(one, RuntimeError) and FAILURE.search(str(one)):
            return True
        known.add(id(one))
        waiting += [origin for origin in (one.__cause__, one.__context__) if origin is not None]
    return False


def clear_cache() -> None:
    """Return the memory of freed arrays that MLX (if an engine imported it) and the allocator keep."""
    if mx := sys.modules.get("mlx.core"):
        mx.clear_cache()
    blas.release()


def memory_in_use() -> int:
    """Bytes that MLX holds, in arrays and in its cache; 0 while no engine has imported it."""
    mx = sys.modules.get("mlx.core")
    return mx.get_active_memory() + mx.get_cache_memory() if mx else 0


def working_set() -> int:
    """Bytes that the GPU recommends to use; 0 where none computes, or where it does not say."""
    mx = sys.modules.get("mlx.core")
    if mx is None or mx.default_device().type != mx.gpu:
        return 0
    return int(mx.device_info().get("max_recommended_working_set_size", 0))


class NoGpu(RuntimeError):
    """MLX has no GPU to compute on, and the settings want one. `str` says why."""


def device(choice: str = "auto") -> tuple[LoadOptions, str]:
    """How to load models, and the name of MLX's device. On a CPU, replaces MLX's slow operations.

    `choice`: "gpu", which raises NoGpu where there is none; "cpu"; or "auto", the GPU where one computes.
    """
    import mlx.core as mx

    if choice != "cpu":
        reason = _gpu_fault()
        if reason is None:
            mx.set_cache_limit(int(memory_bytes() * CACHE_SHARE))
            return LoadOptions(dtype="float16", device="gpu"), str(mx.default_device())
        if choice == "gpu":
            raise NoGpu(f"MLX cannot compute on a GPU on this machine: {reason}")
        if mx.default_device().type == mx.gpu:
            log.warning("the GPU cannot be used, so all is computed on the CPU: %s", reason)
    mx.set_default_device(mx.cpu)
    from speechmlx.engines import cpu

    cpu.install()
    return LoadOptions(dtype="float32", device="cpu"), str(mx.default_device())


def _gpu_fault() -> str | None:
    """Why MLX cannot compute on a GPU, None where it can. Where Metal is missing, as in a VM, the first use raises."""
    import mlx.core as mx

    if mx.default_device().type != mx.gpu:
        return "it finds none"
    try:
        ones = mx.ones((8, 8), stream=mx.gpu)
        right = mx.matmul(ones, ones, stream=mx.gpu)[0, 0].item() == 8.0
    except Exception as error:
        return str(error).strip() or type(error).__name__
    return None if right else "it computes wrong products"
