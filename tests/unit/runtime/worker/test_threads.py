"""As many threads for products as CPUs are free."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from speechmlx.runtime.worker import blas, threads
from speechmlx.runtime.worker.threads import Reading, Threads

needs_packages = pytest.mark.skipif(not blas.is_available(), reason="MLX's Linux CPU wheel and cmeel-openblas only")


def after(readings: Iterable[tuple[float, float]], most: int) -> tuple[Threads, list[int]]:
    """Threads that looked at (CPU seconds of its own, idle CPU seconds) of one second after the other."""
    clock = own = idle = 0.0
    taken = [Reading(clock, own, idle)]
    for used, left in readings:
        clock, own, idle = clock + 1, own + used, idle + left
        taken.append(Reading(clock, own, idle))
    given: list[int] = []
    steps = iter(taken)
    found = Threads(most, given.append, lambda: next(steps))
    for _ in readings:
        found.update()
        found.apply()
    return found, given


@pytest.mark.parametrize(
    ("most", "own", "idle", "wanted"),
    [
        (2, 2.0, 0.0, 2),  # alone, every CPU at work
        (2, 0.0, 2.0, 2),  # nothing to do
        (2, 1.33, 0.0, 1),  # two threads and a busy process on two CPUs
        (2, 1.0, 0.0, 1),  # one thread and a busy process
        (2, 0.67, 0.0, 1),  # one thread and two busy processes
        (2, 0.0, 0.0, 1),  # never none
        (2, 1.2, 0.3, 2),  # somebody takes half a CPU
        (8, 5.0, 2.0, 7),
        (8, 0.0, 8.1, 8),  # ticks are coarse: never more than there are
    ],
)
def test_as_many_as_are_free(most: int, own: float, idle: float, wanted: int) -> None:
    assert after([(own, idle)], most)[0].target == wanted


def test_the_library_is_told_of_changes_only() -> None:
    _, given = after([(2, 0), (1.3, 0), (1, 0), (1, 1), (1, 1)], 2)
    assert given == [1, 2]


@needs_packages
def test_beside_busy_processes_the_library_has_one_thread(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("there is one CPU")
    code = """
import ctypes, time
from speechmlx.runtime.worker import blas
from speechmlx.runtime.worker import threads
blas.preload()
count = ctypes.CDLL(None).openblas_get_num_threads
found = threads.watch_openblas()
print(count())
end = time.monotonic() + 20
while count() > 1 and time.monotonic() < end:
    time.sleep(threads.PERIOD)
    found.apply()
print(count())
"""
    bare = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", *threads.CHOSEN)}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cpus)]
    try:
        env = blas.environment(bare, tmp_path)
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert done.stdout.split() == [str(cpus), "1"], done.stderr


@pytest.mark.parametrize("name", threads.CHOSEN)
def test_a_number_that_was_set_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(blas, "is_loaded", lambda: True)
    for variable in threads.CHOSEN:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "2")
    assert threads.watch_openblas() is None


def test_without_the_library_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "is_loaded", lambda: False)
    assert threads.watch_openblas() is None
