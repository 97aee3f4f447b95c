"""The share of the CPUs of a process of its own, since it is that of all its threads."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

RELEASE = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2]) if os.name == "posix" else (0,)
THREADS = """
import os, threading
from speechmlx.runtime.worker import cpu_time
found, go = [], threading.Event()
def tell():
    go.wait()
    found.append(round(cpu_time.time_slice(), 4))
before = threading.Thread(target=tell)
before.start()
os.nice(1)
assert cpu_time.give_way(0.002, 3)
after = threading.Thread(target=tell)
after.start()
go.set()
before.join()
after.join()
print(os.nice(0), *found, round(cpu_time.time_slice(), 4))
"""


@pytest.mark.skipif(sys.platform != "linux" or RELEASE < (6, 12), reason="slices of Linux 6.12")
def test_all_threads_get_the_slice_and_the_niceness() -> None:
    nice = min(os.nice(0) + 1 + 3, 19)
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(nice), "0.002", "0.002", "0.002"]


NONE = """
import sys
from speechmlx.runtime.worker import cpu_time
sys.platform = 'darwin'
print(cpu_time.give_way(), cpu_time.time_slice())
"""


def test_a_system_without_slices_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", NONE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "0.0"]
