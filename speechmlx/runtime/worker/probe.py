"""Computes something with MLX, as the engine process would, and tells about the device. A program of its own: MLX may
abort its process."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

from speechmlx.runtime.worker import blas
from speechmlx.runtime.worker.device import device

SIZE = 256
"""Rows and columns of the matrices."""


def probe(choice: str = "auto") -> dict[str, Any]:
    """MLX's version, its device, memory in bytes as far as the device tells, and whether OpenBLAS is in.

    `choice`: the setting `device`; with "gpu" it tells the device that there is. Raises RuntimeError where MLX computes
    something wrong.
    """
    openblas = blas.preload()
    import mlx.core as mx

    device("cpu" if choice == "cpu" else "auto")
    product = mx.ones((SIZE, SIZE)) @ mx.full((SIZE, SIZE), 2.0)
    if product[0, 0].item() != 2.0 * SIZE:
        raise RuntimeError("MLX computes wrong products on this machine")
    info = mx.device_info()
    return {
        "mlx": metadata.version("mlx"),
        "device": "gpu" if mx.default_device().type == mx.gpu else "cpu",
        "name": str(info.get("device_name") or info.get("architecture", "")),
        "memory_bytes": int(info.get("memory_size", 0)),
        "working_set_bytes": int(info.get("max_recommended_working_set_size", 0)),
        "openblas": openblas,
    }


if __name__ == "__main__":
    print(json.dumps(probe(*sys.argv[1:])))
