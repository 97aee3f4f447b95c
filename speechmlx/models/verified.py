"""What is known of the files of a model since all of them were last read and compared with their digests.

A file whose size, inode and times are as then is taken to be as then, so that a server need not read 14 GB before its
first answer. That does not see a disk that lost bits by itself, nor who sets the clock back to change a file unseen:
`audio-server check` reads everything.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from speechmlx.models.digest import digest

RECORD = "verified.json"
"""File in the folder of a model: by name the sha256 that was found, and size, mtime, inode and ctime of that file."""
SETTLED = 2.0
"""Seconds since the last change of a file from which on another change surely gives it another time."""

Known = dict[str, list[str | int]]


def first_damage(home: Path, expected: dict[str, str], fully: bool = False) -> str | None:
    """What is wrong with a file in `home`, by the `expected` sha256 of each; None if nothing.

    Reads the files that changed since they were last found whole, or with `fully` all, and remembers what it found
    where the folder can be written.
    """
    known = {} if fully else _read(home)
    found: Known = {}
    reason = None
    for name, wanted in expected.items():
        try:
            state: list[str | int] = [wanted, *_state(home / name)]
            reason = None if known.get(name) == state else _mismatch(home, name, wanted)
        except OSError as error:
            reason = f"{name} cannot be read ({error.strerror or error})"
        if reason is not None:
            break
        if state == [wanted, *_state(home / name)] and _is_settled(state):
            found[name] = state
    if found != known or reason is not None:
        _write(home, found)
    return reason


def _mismatch(home: Path, name: str, wanted: str) -> str | None:
    sha256 = digest(home / name)
    return None if sha256 == wanted else f"{name} is not as it was fetched: its sha256 is {sha256}, not {wanted}"


def _state(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns]


def _is_settled(state: list[str | int]) -> bool:
    return time.time() - int(state[4]) / 1e9 > SETTLED


def _read(home: Path) -> Known:
    """The record; {} if there is none or it is broken."""
    try:
        known = json.loads((home / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(home: Path, found: Known) -> None:
    """Write the record, or leave the old one where the folder cannot be written: it only says what was true."""
    part = home / f".{RECORD}.{os.getpid()}"
    with suppress(OSError):
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(home / RECORD)
