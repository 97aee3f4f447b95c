"""Machines for the doctor's checks, whose programs answer what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speechmlx.config import Config
from speechmlx.doctor.finding import Patient, Ran


def patient(
    answers: Mapping[str, str | Ran] | None = None,
    *,
    config: Config | None = None,
    platform: str = "darwin",
    environment: Mapping[str, str] | None = None,
) -> Patient:
    """A machine on which a program whose command line ends with a key of `answers` prints the value; others fail."""

    def run(command: Sequence[str], environment: Any = None) -> Ran:
        line = " ".join(command)
        for end, answer in (answers or {}).items():
            if line.endswith(end):
                return answer if isinstance(answer, Ran) else Ran(0, answer)
        return Ran(-1, err=f"{command[0]} was not found")

    return Patient(environment or {"HOME": "/nowhere"}, config or Config(), platform, run)
