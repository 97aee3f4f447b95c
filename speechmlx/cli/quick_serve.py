"""`audio-server serve` with plain flags, without typer: importing that and its checks takes as long as the server does.

Only what typer would read in the same way is read here. Anything else is typer's: help, completion, and every error.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from speechmlx.config import KINDS, Config
from speechmlx.config_sources import key_file, load

INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)

Reader = Callable[[str], Any]


def serve_plainly(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Serve with these flags; False where typer has to read them. Raises BadRequest for a wrong setting."""
    if any(name.startswith("_") and name.endswith("_COMPLETE") for name in environment):
        return False  # a shell asks what can be written next
    flags = read_flags(arguments)
    if flags is None:
        return False
    start(load(flags, environment, flags.pop("config", None)))
    return True


def start(config: Config) -> None:
    """Serve until a signal stops the server. Until it serves, one ends it with status 0 too: it is no failure."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    gc.disable()  # imports allocate much and free nothing; serve.run enables it again
    from speechmlx.models import admission, catalog, store
    from speechmlx.serve import run

    known = admission.admit_settings(catalog.load(store.cache_folder(config)), config)
    run(replace(config, key_file=key_file(config, os.environ)), known, _write_line)


def read_flags(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The settings and the file (`config`) that are given by flags; None where one is not plainly written."""
    readers, found = _readers(), dict[str, Any]()
    rest = list(reversed(arguments))
    while rest:
        flag, equals, text = rest.pop().partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if name not in readers or flag != f"--{name.replace('_', '-')}":
            return None
        reader = readers[name]
        if reader is None:
            if equals:
                return None
            found[name] = True
            continue
        if not equals:
            text = rest.pop() if rest else ""
        if not text or text.startswith("-") or (value := reader(text)) is None:
            return None
        found[name] = [*found.get(name, ()), *value] if isinstance(value, list) else value
    return found


def _readers() -> dict[str, Reader | None]:
    """By the name of a flag what reads its value, or None where the text is none; None for a flag without a value."""
    readers: dict[str, Reader | None] = {"config": Path, **dict.fromkeys(KINDS, str)}
    for entry in fields(Config):
        if entry.metadata["flag"]:
            readers[entry.name] = _reader(entry.default, entry.metadata.get("unit"))
    return readers


def _reader(default: object, unit: str | None) -> Reader | None:
    if isinstance(default, bool):
        return None
    if isinstance(default, tuple):
        return lambda text: [text]
    if isinstance(default, int) and unit != "bytes":
        return lambda text: int(text) if INTEGER.fullmatch(text) else None
    if isinstance(default, float):
        return lambda text: float(text) if NUMBER.fullmatch(text) else None
    return str


def _write_line(text: str) -> None:
    """Print a line. The server goes on where nobody reads it."""
    try:
        print(text, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # else the end of the process would try again
        os.close(nowhere)
