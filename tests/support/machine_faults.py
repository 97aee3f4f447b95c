"""What machines do to a server: disks that are full or read-only, and clocks that jump."""

from __future__ import annotations

import glob
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotRun(Exception):
    """This machine cannot make the fault."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, in memory. Raises NotRun where this user may not make one."""
    folder.mkdir(parents=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        raise NotRun(f"mount: {mount.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes what is left."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as out:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                pass
    return file


def faketime() -> str:
    """The library that fakes the wall clock of a process. Raises NotRun."""
    places = [os.environ.get("FAKETIME_LIB", ""), *glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")]
    for place in places:
        if place and Path(place).exists():
            return place
    raise NotRun("libfaketime is not installed (Debian: libfaketime)")
