"""Code that runs as on a GPU, and which lines of the engines it ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverage import Coverage
from support.compilation import compilation
from support.gpu_branches import ROOT
from support.metal_arithmetic import metal_arithmetic


class GpuRuns:
    """Runs code with Metal's arithmetic and keeps which lines of the engines were run."""

    def __init__(self) -> None:
        self._coverage = Coverage(data_file=None, include=[f"{ROOT / 'engines'}/*"], config_file=False)

    @contextmanager
    def __call__(self, tf32: bool = False) -> Iterator[None]:
        self._coverage.start()
        try:
            with compilation(True), metal_arithmetic(tf32):
                yield
        finally:
            self._coverage.stop()

    def missing(self, path: Path) -> set[int]:
        """First lines of the statements of a module that were not run."""
        return set(self._coverage.analysis2(str(path))[3])
