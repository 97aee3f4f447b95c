"""How long a thread computes before Linux lets another one have its CPU: what computes asks for long slices.

A thread that wakes takes the CPU of one with a longer slice at once. Of one with an equal slice it waits for the end
of that, some milliseconds, although it has slept most of the time. The share of the CPU that each gets stays the same.
What answers keeps Linux's default, about 3 ms: shorter ones made an idle server's answers slower, by 5 to 18 %.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

COMPUTES = 0.02
"""Seconds, for the engine process."""

CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""Numbers of sched_setattr and sched_getattr."""
ATTRIBUTES = struct.Struct("=IIQiIQQQII")
"""struct sched_attr: size, policy, flags, nice, priority, runtime (here the slice in nanoseconds), four others."""


def ask(seconds: float) -> bool:
    """Ask for a slice of so many seconds for all threads of this process, and those that they start.

    False where the system has none to ask for: another one than Linux. Linux before 6.12 takes no notice.
    """
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return False
    call, (number, _) = ctypes.CDLL(None).syscall, CALLS[platform.machine()]
    taken = []
    with contextlib.suppress(OSError):  # a thread may end meanwhile
        for thread in map(int, os.listdir("/proc/self/task")):
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            wanted = ATTRIBUTES.pack(ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, round(seconds * 1e9), 0, 0, 0, 0)
            taken.append(call(number, thread, wanted, 0) == 0)
    return bool(taken) and all(taken)


def asked() -> float:
    """The slice of this thread in seconds; 0 where the system tells none."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return 0.0
    found = ctypes.create_string_buffer(ATTRIBUTES.size)
    _, number = CALLS[platform.machine()]
    if ctypes.CDLL(None).syscall(number, 0, found, ATTRIBUTES.size, 0):
        return 0.0
    return float(ATTRIBUTES.unpack(found.raw)[5]) / 1e9
