"""Engine tests run with the BLAS that the engine process runs with: `python -m speechmlx.runtime.blas pytest`."""

from __future__ import annotations

import pytest

from speechmlx.runtime import blas

BLAS_IN = not blas.is_available() or blas.is_loaded()


@pytest.fixture(scope="session", autouse=True)
def fast_blas() -> None:
    if not BLAS_IN:
        pytest.fail("run these as `python -m speechmlx.runtime.blas pytest ...`: mlx has its own slow BLAS here")
