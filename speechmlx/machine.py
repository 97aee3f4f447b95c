"""This machine: its memory, and what the size of a Mac decides where no setting does. Imports nothing of the server."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

GIB = 1024**3
MODEL_SHARE = 0.7
"""Share of the memory that models, with what their requests hold, may have at most where memory_limit is not set."""
GPU_SHARE = 2 / 3
"""About the share of a Mac's memory that its GPU recommends to use, for what is said of other Macs: of this one it is
read from the GPU."""
CACHE_SHARE = 0.05
"""Share of the memory that MLX may keep in freed arrays on a GPU. Its own limit is all of what it may use."""
SMALLEST = 8 * GIB
"""Bytes of memory of the smallest Mac with Apple silicon: assumed where a system does not tell."""
PATIENCE = 10.0
"""Most seconds that sysctl may take."""


@dataclass(frozen=True)
class MachineClass:
    """Machines with at least `memory` bytes: the default `profile`, and `idle_unload` in seconds (0: models stay)."""

    memory: int
    profile: str
    idle_unload: float


MACS = (
    MachineClass(24 * GIB, "large", 0.0),
    MachineClass(16 * GIB, "standard", 1800.0),
    MachineClass(0, "starter", 900.0),
)
"""Macs with Apple silicon, the largest first. By arithmetic, not measured: models may have 5.3 GB of 8 GB, and
`standard` with one long chat comes to 4.6 GB of weights and 1.2 GB of keys and values. `large` has 2.3 GB of weights
more."""
OTHERS = MachineClass(0, "starter", 0.0)
"""Every other machine: models are computed in float32 on its CPU."""


def machine_class(apple: bool, memory: int) -> MachineClass:
    """The class of a machine with `memory` bytes; `apple`: with Apple silicon."""
    return next(one for one in MACS if memory >= one.memory) if apple else OTHERS


def least_memory(profile: str) -> int:
    """Bytes of the smallest Mac that has the profile by default; 0 for one that is none of a Mac's."""
    return min((one.memory for one in MACS if one.profile == profile), default=0)


def this_class() -> MachineClass:
    """The class of this machine."""
    return machine_class(is_apple(), memory_bytes())


def default_settings() -> dict[str, Any]:
    """Settings that this machine's memory decides, where they are not those of a machine with much."""
    found = this_class()
    return {"idle_unload": found.idle_unload} if found.idle_unload else {}


def is_apple() -> bool:
    """Whether this is a Mac with Apple silicon."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def weight_type(apple: bool, device: str) -> str:
    """The type of a model's weights in memory, as the setting `device` has it: 16 bits on a GPU, else 32."""
    return "float16" if device == "gpu" or (apple and device != "cpu") else "float32"


def model_memory(limit: int, working_set: int = 0) -> int:
    """Bytes that all models may have: `limit`, or where it is 0 the default of this machine.

    `working_set`: bytes that the GPU recommends to use; 0 where none computes.
    """
    return limit or default_memory(memory_bytes(), working_set)


def default_memory(memory: int, working_set: int) -> int:
    """Bytes that all models may have on a machine with `memory` bytes: MODEL_SHARE of them.

    Or what `working_set` leaves beside MLX's cache, where that is less.
    """
    most = int(memory * MODEL_SHARE)
    return min(most, working_set - int(memory * CACHE_SHARE)) if working_set else most


@cache
def memory_bytes() -> int:
    """Bytes of memory of this machine."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):  # a Python built with an old SDK, as conda's, does not know the names
        found = 0
    return found if found > 0 else _told_by_sysctl()


def _told_by_sysctl() -> int:
    try:
        told = subprocess.run(["sysctl", "-n", "hw.memsize"], capture_output=True, text=True, timeout=PATIENCE).stdout
        return int(told)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return SMALLEST
