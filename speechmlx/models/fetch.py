"""`python -m speechmlx.models.fetch NAME`: fetches a model in its own process and reports progress as lines of JSON.

Progress lines are {"stage", "done", "total", "detail"}. The last line is {"folder"} or {"error", "message"}. The exit
status is 1 after an error. The process ends if the pipe on its standard input closes: its parent has ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from speechmlx.errors import SpeechError
from speechmlx.models import catalog, store
from speechmlx.types import Progress

QUIET = 0.1
"""Seconds between progress lines of a stage."""


def main(arguments: list[str] | None = None) -> int:
    """Fetch the model named on the command line. Returns 0 if its folder is complete, 1 after an error."""
    parser = argparse.ArgumentParser(prog="speechmlx.models.fetch", description=__doc__)
    parser.add_argument("name", help="a model of the catalog")
    parser.add_argument("--cache", type=Path, default=None, help="cache folder (default: as the server's)")
    options = parser.parse_args(arguments)
    _end_with_parent(sys.stdin.fileno())
    try:
        cache = options.cache or store.cache_folder()
        row = catalog.load(cache).resolve(options.name)
        found = store.fetch(row, cache, _teller(sys.stdout))
    except SpeechError as error:
        _say(sys.stdout, {"error": error.code, "message": error.message})
        return 1
    _say(sys.stdout, {"folder": str(found)})
    return 0


def _teller(out: IO[str]) -> Callable[[Progress], None]:
    """A function that writes progress lines: the first and last of a stage, and one every QUIET seconds."""
    last = ("", 0.0)

    def tell(progress: Progress) -> None:
        nonlocal last
        stage, at = last
        now = time.monotonic()
        if progress.stage != stage or progress.done == progress.total or now - at >= QUIET:
            last = (progress.stage, now)
            _say(out, dataclasses.asdict(progress))

    return tell


def _say(out: IO[str], line: dict[str, object]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


def _end_with_parent(descriptor: int) -> None:
    """End this process when the pipe or socket on `descriptor` closes. A terminal or a file is ignored.

    Signals to the whole group (Ctrl-C, systemd, timeout) are then ignored: the parent handles them.
    """
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.read(descriptor, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
