"""How Linux divides the CPUs between what computes and what answers: an engine that computes on them gives way.

A thread that wakes takes the CPU of one with a longer slice at once, if it has not had more than its share. So threads
that compute ask for long slices, and count for less than others: a niceness of 5 is a third of their weight. Where
nobody else computes they have all CPUs as before.

With four syntheses at once on two CPUs, asked by a process of its own, 1 of 100 answers of /health took longer than 8
to 12 ms; with a niceness of 3 than 5.4, of 5 than 4.1 to 4.6, of 8 than 5.3. A process beside them that only echoes
bytes took 3 to 5 ms. `scripts/bench server` asks more often, and finds 5 to 6 ms: most of that is the asker's own wait.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

SLICE = 0.02
"""Seconds that a thread of an engine computes before another one gets its CPU. Linux's default is about 3 ms."""
NICE = 5
"""What such a thread adds to its niceness."""

CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""Numbers of sched_setattr and sched_getattr."""
ATTRIBUTES = struct.Struct("=IIQiIQQQII")
"""struct sched_attr: size, policy, flags, nice, priority, runtime (here the slice in nanoseconds), four others."""


def give_way(seconds: float = SLICE, nice: int = NICE) -> bool:
    """Give all threads of this process, and those that they start, slices of `seconds` and a niceness that is higher.

    False where the system has none to give: another one than Linux. Linux before 6.12 takes no notice of slices.
    """
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return False
    call, (number, _) = ctypes.CDLL(None).syscall, CALLS[platform.machine()]
    taken = []
    with contextlib.suppress(OSError):  # a thread may end meanwhile
        for thread in map(int, os.listdir("/proc/self/task")):
            niceness = min(19, os.getpriority(os.PRIO_PROCESS, thread) + nice)
            slice = round(seconds * 1e9)
            wanted = ATTRIBUTES.pack(ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, slice, 0, 0, 0, 0)
            taken.append(call(number, thread, wanted, 0) == 0)
    return bool(taken) and all(taken)


def time_slice() -> float:
    """The slice of this thread in seconds; 0 where the system tells none."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return 0.0
    found = ctypes.create_string_buffer(ATTRIBUTES.size)
    _, number = CALLS[platform.machine()]
    if ctypes.CDLL(None).syscall(number, 0, found, ATTRIBUTES.size, 0):
        return 0.0
    return float(ATTRIBUTES.unpack(found.raw)[5]) / 1e9
