"""The time slices of a process of its own, since they are those of all its threads."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

RELEASE = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2]) if os.name == "posix" else (0,)
THREADS = """
import os, threading
from speechmlx.runtime import time_slice
found, go = [], threading.Event()
def tell():
    go.wait()
    found.append(round(time_slice.asked(), 4))
before = threading.Thread(target=tell)
before.start()
os.nice(1)
assert time_slice.ask(0.002)
after = threading.Thread(target=tell)
after.start()
go.set()
before.join()
after.join()
print(*found, round(time_slice.asked(), 4), os.nice(0))
"""


@pytest.mark.skipif(sys.platform != "linux" or RELEASE < (6, 12), reason="slices of Linux 6.12")
def test_all_threads_get_the_slice_and_keep_their_priority() -> None:
    nice = os.nice(0)
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.002", "0.002", "0.002", str(min(nice + 1, 19))]


NONE = "import sys; sys.platform = 'darwin'; from speechmlx.runtime import time_slice as t; print(t.ask(1), t.asked())"


def test_a_system_without_slices_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", NONE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "0.0"]
