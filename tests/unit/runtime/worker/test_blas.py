"""The BLAS gets in before mlx, and only where it should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechmlx.runtime.worker import blas

needs_packages = pytest.mark.skipif(not blas.is_available(), reason="MLX's Linux CPU wheel and cmeel-openblas only")


def python(code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


def bare() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}


@needs_packages
def test_environment_leads_to_the_fortran_runtime_first_and_keeps_what_was_set(tmp_path: Path) -> None:
    env = blas.environment({"LD_LIBRARY_PATH": "/given", "OPENBLAS_NUM_THREADS": "3", "OTHER": "x"}, tmp_path)
    first, *_, last = env["LD_LIBRARY_PATH"].split(os.pathsep)
    assert (Path(first) / blas.GFORTRAN).resolve(strict=True).name.startswith("libgfortran-")
    assert last == "/given"
    assert env["OPENBLAS_NUM_THREADS"] == "3" and env["OTHER"] == "x"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the temporary folder is private already")
@pytest.mark.parametrize("found", [True, False])
def test_the_temporary_folder_is_inside_the_one_given(
    found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not found:  # as with MLX's CUDA wheel
        monkeypatch.setattr(blas, "_openblas", lambda: None)
    folder = Path(blas.environment({}, tmp_path)["TMPDIR"])
    assert folder.is_dir() and folder.parent == tmp_path


@needs_packages
def test_preload_loads_the_library(tmp_path: Path) -> None:
    code = "from speechmlx.runtime.worker import blas; print(blas.is_loaded(), blas.preload(), blas.is_loaded())"
    assert python(code, blas.environment(bare(), tmp_path)).stdout.split() == ["False", "True", "True"]


@needs_packages
def test_freed_memory_is_kept_until_it_is_released(tmp_path: Path) -> None:
    code = """
import numpy, psutil
from speechmlx.runtime.worker import blas
held = psutil.Process().memory_info
before = held().rss
arrays = [numpy.ones((512, 512), numpy.float32) for _ in range(200)]
last = numpy.ones(1000)
del arrays
print((held().rss - before) >> 20)
blas.release()
print((held().rss - before) >> 20)
"""
    kept, released = map(int, python(code, blas.environment(bare(), tmp_path)).stdout.split())
    assert kept > 150 and released < 50


@needs_packages
def test_preload_after_mlx_is_refused(tmp_path: Path) -> None:
    code = "import mlx.core; from speechmlx.runtime.worker import blas; blas.preload()"
    done = python(code, blas.environment(bare(), tmp_path))
    assert done.returncode != 0 and "must come before" in done.stderr


@needs_packages
def test_products_in_mlx_run_in_the_library(tmp_path: Path) -> None:
    code = """
from speechmlx.runtime.worker import blas
blas.preload()
import os, time, mlx.core as mx
a, b = mx.ones((1024, 512)), mx.ones((512, 1024))
mx.eval(a @ b)
before = time.process_time()
mx.eval(a @ b)
print(2 * 1024 * 1024 * 512 / (time.process_time() - before) / 1e9)
"""
    done = python(code, blas.environment(bare() | {"OPENBLAS_NUM_THREADS": "1"}, tmp_path))
    assert float(done.stdout) > 20, (
        f"{done.stdout} GFLOP/s per CPU second: the reference BLAS makes about 9 {done.stderr}"
    )


@needs_packages
@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_the_command_runs_with_the_library_and_gives_its_status(code: str, status: int) -> None:
    check = "from speechmlx.runtime.worker import blas; assert blas.is_loaded(); "
    done = subprocess.run(
        [sys.executable, "-m", "speechmlx.runtime.worker.blas", sys.executable, "-c", check + code], env=bare()
    )
    assert done.returncode == status


def test_a_command_is_needed() -> None:
    assert blas.main([]) == 2


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert blas.environment({"A": "b"}, tmp_path) == {"A": "b"}
    assert not blas.is_available() and not blas.preload() and not blas.is_loaded()
