"""Sets the number of OpenBLAS threads to the number of CPUs that no other process uses.

OpenBLAS splits a matrix product into one part per thread and waits for the slowest part. If another process occupies a
CPU, one of two threads often does not run. Each product then waits for a time slice of the scheduler, and recognition
takes ten times as long. With one thread per free CPU, no product waits.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from speechmlx.runtime.worker import blas

PERIOD = 0.2
"""Seconds between two readings. The kernel counts CPU time in hundredths of a second."""

SHARED = 0.6
"""Share of a CPU that other processes may use before a thread is removed. Two threads and one busy process on two CPUs
leave the threads 1.33 CPUs."""

CHOSEN = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables with which a person sets the number of threads. OpenBLAS reads both, the first one first."""

STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Reading:
    """Counters in seconds: `clock` time, CPU time of this process (`own`), and `idle` time summed over its CPUs."""

    clock: float
    own: float
    idle: float

    def free_since(self, before: Reading) -> float:
        """Average number of CPUs since `before` that this process used or that were idle."""
        return (self.own - before.own + self.idle - before.idle) / (self.clock - before.clock)


def read() -> Reading:
    """The current counters of the CPUs that this process may run on. Raises OSError if the system has no /proc/stat."""
    cpus = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    fields = [line.split() for line in STAT.read_text().splitlines()]
    # name, user, nice, system, idle, iowait, ...
    ticks = sum(int(row[4]) + int(row[5]) for row in fields if row and row[0] in cpus)
    return Reading(time.monotonic(), time.process_time(), ticks / os.sysconf("SC_CLK_TCK"))


class Threads:
    """Updates `target`, the best number of threads, in a background thread. `apply` sets it between two steps."""

    def __init__(self, most: int, set_count: Callable[[int], object], read: Callable[[], Reading] = read) -> None:
        self._most = most
        self._set_count = set_count
        self._read = read
        self._before = read()
        self._count = most
        self.target = most

    def update(self) -> None:
        """Take a reading and compute `target` from the time since the last one."""
        now = self._read()
        self.target = max(1, min(self._most, int(now.free_since(self._before) + SHARED)))
        self._before = now

    def watch(self) -> None:
        """Start a daemon thread that calls `update` every PERIOD seconds."""

        def loop() -> None:
            while True:
                time.sleep(PERIOD)
                self.update()

        threading.Thread(target=loop, name="threads", daemon=True).start()

    def apply(self) -> None:
        """Set the library's number of threads to `target`. No product may be running."""
        target = self.target
        if target != self._count:
            self._set_count(target)
            self._count = target


def watch_openblas() -> Threads | None:
    """Start to watch the OpenBLAS of this process. None without OpenBLAS, or if one of CHOSEN is set."""
    if any(name in os.environ for name in CHOSEN) or not blas.is_loaded():
        return None
    most = len(os.sched_getaffinity(0))
    try:
        threads = Threads(most, ctypes.CDLL(None).openblas_set_num_threads)
    except OSError:
        return None
    threads.watch()
    return threads
