"""Code that runs as on a GPU, and which lines of the engines it ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx
from coverage import Coverage
from support.gpu_branches import ROOT
from support.metal_arithmetic import metal_arithmetic


@contextmanager
def uncompiled() -> Iterator[None]:
    """Graphs run as they are while it is open: each kernel of a compiled one would be built by a C++ compiler here."""
    mx.disable_compile()
    try:
        yield
    finally:
        mx.enable_compile()


class GpuRuns:
    """Runs code with Metal's arithmetic and keeps which lines of the engines were run."""

    def __init__(self) -> None:
        self._coverage = Coverage(data_file=None, include=[f"{ROOT / 'engines'}/*"], config_file=False)

    @contextmanager
    def __call__(self, tf32: bool = False) -> Iterator[None]:
        self._coverage.start()
        try:
            with metal_arithmetic(tf32):
                yield
        finally:
            self._coverage.stop()

    def missing(self, path: Path) -> set[int]:
        """First lines of the statements of a module that were not run."""
        return set(self._coverage.analysis2(str(path))[3])
