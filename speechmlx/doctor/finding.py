"""What the doctor looks at and what it finds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from speechmlx.config import Config

PATIENCE = 60.0
"""Most seconds that a program may take."""
State = Literal["ok", "note", "warning", "problem"]
"""`note`: nothing is wrong; `warning`: something will not work, or is unsafe; `problem`: the server needs it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found and, where it is not well, what to do."""

    topic: str
    state: State
    text: str
    to_do: str = ""


@dataclass(frozen=True)
class Ran:
    """A program that has ended. `status` is -1 where it is not there or did not end in time."""

    status: int
    out: str = ""
    err: str = ""


def run_program(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ran:
    """Run a program and wait for its end."""
    try:
        done = subprocess.run(
            list(command),
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        return Ran(-1, err=f"{command[0]} was not found")
    except subprocess.TimeoutExpired:
        return Ran(-1, err=f"it did not end in {PATIENCE:.0f} s")
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Patient:
    """This machine, for the checks: its settings, and how programs are run, which tests replace by recorded outputs."""

    environment: Mapping[str, str]
    config: Config
    platform: str = sys.platform
    run: Callable[..., Ran] = field(default=run_program)

    @property
    def is_mac(self) -> bool:
        return self.platform == "darwin"


def megabytes(nbytes: float) -> str:
    """Bytes as MB or GB."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"
