"""Mutants of model files of every format, read in a process of their own."""

from __future__ import annotations

import random
import resource
import sys
import tempfile
from pathlib import Path

from support.model_files import READERS, is_refused, mutants

MB = 1 << 20
MOST = 400 * MB
"""Bytes that a process may take more than it had."""


def attack(seed: str, count: int) -> list[str]:
    """Read `count` mutants; what is wrong: an error that is no refusal, a refusal that names no file, much memory."""
    draw, found = random.Random(seed), list[str]()
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    name = draw.choice(list(READERS))
    made, read = READERS[name]
    for number, mutant in enumerate(mutants(made(), count, draw)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            path.write_bytes(mutant)
            try:
                is_refused(read, path)
            except BaseException as error:
                found.append(f"{name} mutant {number}: {type(error).__name__}: {error}")
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    return found + ([f"{name}: {taken // MB} MB"] if taken > MOST else [])
