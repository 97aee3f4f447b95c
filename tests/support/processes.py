"""What a server's processes hold: memory, descriptors, threads, children."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil

WORKER = "speechmlx.runtime.worker.process"


@dataclass(frozen=True)
class Held:
    """`memory`: resident, in MB."""

    memory: float
    descriptors: int
    threads: int


def held(process: psutil.Process) -> Held:
    return Held(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())


def engine(front: psutil.Process) -> psutil.Process | None:
    """The engine process of a server that runs; None while there is none."""
    for child in front.children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if WORKER in child.cmdline():
                return child
    return None


def zombies(front: psutil.Process) -> int:
    """Children that have ended and that nobody has waited for."""
    count = 0
    for child in front.children():
        with contextlib.suppress(psutil.Error):
            count += child.status() == psutil.STATUS_ZOMBIE
    return count
