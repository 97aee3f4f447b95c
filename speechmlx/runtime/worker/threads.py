"""How many threads a matrix product gets: as many as there are CPUs which no other process uses.

OpenBLAS cuts a product into one part per thread and waits for the slowest. Beside a process that keeps a CPU busy, one
of two threads often does not run: each product waits a turn of the system's scheduler for it, and a recognition takes
ten times as long. With as many threads as CPUs are free, no product waits.
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
"""Of a CPU that others may use before a thread gives it up: two threads beside a busy process have 1.33 CPUs."""

STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Reading:
    """Seconds, each since some start: of the clock, of CPU time of this process, of idleness over its CPUs."""

    clock: float
    own: float
    idle: float

    def free_since(self, before: Reading) -> float:
        """How many CPUs this process used or could have used, on average since `before`."""
        return (self.own - before.own + self.idle - before.idle) / (self.clock - before.clock)


def read() -> Reading:
    """A reading of now, over the CPUs this process may run on. Raises OSError where the kernel tells nothing."""
    cpus = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    fields = [line.split() for line in STAT.read_text().splitlines()]
    # name, user, nice, system, idle, iowait, ...
    ticks = sum(int(found[4]) + int(found[5]) for found in fields if found and found[0] in cpus)
    return Reading(time.monotonic(), time.process_time(), ticks / os.sysconf("SC_CLK_TCK"))


class Threads:
    """Keeps `wanted` up to date from a thread of its own; `settle`, between two steps, hands it to the library."""

    def __init__(self, most: int, give: Callable[[int], object], read: Callable[[], Reading] = read) -> None:
        self._most = most
        self._give = give
        self._read = read
        self._before = read()
        self._given = most
        self.wanted = most

    def look(self) -> None:
        """Take a reading and judge the time since the last one."""
        now = self._read()
        self.wanted = max(1, min(self._most, int(now.free_since(self._before) + SHARED)))
        self._before = now

    def watch(self) -> None:
        """Look for ever, in a thread that ends with the process."""

        def looking() -> None:
            while True:
                time.sleep(PERIOD)
                self.look()

        threading.Thread(target=looking, name="threads", daemon=True).start()

    def settle(self) -> None:
        """Give the library what is wanted. No product may be running."""
        wanted = self.wanted
        if wanted != self._given:
            self._give(wanted)
            self._given = wanted


def watched() -> Threads | None:
    """Threads of the OpenBLAS in this process, watched; None without it, or where OPENBLAS_NUM_THREADS fixes them."""
    if "OPENBLAS_NUM_THREADS" in os.environ or not blas.is_loaded():
        return None
    most = len(os.sched_getaffinity(0))
    try:
        threads = Threads(most, ctypes.CDLL(None).openblas_set_num_threads)
    except OSError:
        return None
    threads.watch()
    return threads
