"""How many heaps glibc gives the threads of a process."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8
"""glibc's name of the setting, in malloc.h."""


def share(count: int = 2) -> bool:
    """Let all threads share `count` heaps; False where the C library is not glibc.

    Else glibc makes up to eight for each processor, and each keeps the memory that its threads once needed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, count))
