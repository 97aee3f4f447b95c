"""A fast BLAS for MLX's CPU backend on Linux, put in place before mlx is imported; nothing here imports mlx.

MLX's Linux wheel links the reference BLAS, 40 times slower at matrix products than OpenBLAS. A library loaded before
it, with its symbols global, takes its place. `cmeel-openblas` brings that library but expects a libgfortran.so.5 from
the system; the MLX wheel ships one under another name. So the engine process is spawned with an `environment` whose
library path leads there, and calls `preload` first. Everywhere but on Linux with both packages, both do nothing.

`python -m speechmlx.runtime.worker.blas COMMAND...` runs a command that way, for example pytest or a benchmark.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from speechmlx.runtime import scratch

log = logging.getLogger(__name__)

OPENBLAS = "libopenblas.so.0"
GFORTRAN = "libgfortran.so.5"
SPIN = 23
"""Idle BLAS threads spin for 2 to the power of this many cycles before they sleep, here a few milliseconds: about the
gap between two products of a model. OpenBLAS's own 26 takes a core from everybody else eight times as long."""
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""Arrays of megabytes come and go in every step: glibc would map each anew and have its pages cleared, up to a tenth of
the time. It keeps them so, until `release`."""


def environment(base: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment to spawn the engine process with: `base`, on Linux a private TMPDIR, and what `preload` needs.

    TMPDIR and library path lie in `folder`, which is empty and the caller's to delete: `mx.compile` keeps the code it
    builds under the temporary folder, at a path anybody could have written to before. OPENBLAS_THREAD_TIMEOUT makes
    idle threads sleep soon; MALLOC is set. Without OPENBLAS_NUM_THREADS there is a thread per usable CPU.
    """
    result = dict(base)
    if sys.platform == "linux":
        (folder / "tmp").mkdir()
        result["TMPDIR"] = str(folder / "tmp")
    if _openblas() is None:
        return result
    (folder / "lib").mkdir()
    paths = [str(folder / "lib")]
    if runtime := _gfortran():
        (folder / "lib" / GFORTRAN).symlink_to(runtime)
        paths.append(str(runtime.parent))
    if inherited := base.get("LD_LIBRARY_PATH"):
        paths.append(inherited)
    result["LD_LIBRARY_PATH"] = os.pathsep.join(paths)
    result.setdefault("OPENBLAS_THREAD_TIMEOUT", str(SPIN))
    return MALLOC | result


def preload() -> bool:
    """Load OpenBLAS with global symbols; True when it is in, here or by LD_PRELOAD. Call it before mlx is imported.

    Raises RuntimeError when mlx came first. A library that does not load is logged and left out: the engine is slow
    then, not broken.
    """
    library = _openblas()
    if library is None:
        return False
    if is_loaded():
        return True
    if "mlx.core" in sys.modules:
        raise RuntimeError("mlx is already imported: blas.preload() must come before it")
    try:
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    except OSError as error:
        log.warning("matrix products will be slow, OpenBLAS does not load: %s", error)
        return False
    return True


def release() -> None:
    """Give freed memory back to the system, where `environment` had it kept."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def is_available() -> bool:
    """Whether the packages are here: Linux, MLX's CPU wheel and cmeel-openblas."""
    return _openblas() is not None


def is_loaded() -> bool:
    """Whether this process has cmeel's OpenBLAS mapped."""
    library = _openblas()
    if library is None:
        return False
    name = str(library.resolve())
    with open("/proc/self/maps") as maps:
        return any(line.rstrip().endswith(name) for line in maps)


def _openblas() -> Path | None:
    if sys.platform != "linux" or _package_file("mlx-cpu", "mlx") is None:
        return None
    return _package_file("cmeel-openblas", f"cmeel.prefix/lib/{OPENBLAS}")


def _gfortran() -> Path | None:
    libraries = _package_file("mlx-cpu", "mlx_cpu.libs")
    return None if libraries is None else next(libraries.glob("libgfortran-*.so*"), None)


def _package_file(distribution: str, path: str) -> Path | None:
    try:
        found = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError:
        return None
    return found if found.exists() else None


def main(command: list[str]) -> int:
    """Run `command` in the engine's environment with OpenBLAS loaded; its exit status, 128 + n for signal n."""
    if not command:
        sys.stderr.write("usage: python -m speechmlx.runtime.worker.blas COMMAND [ARGUMENT...]\n")
        return 2
    with scratch.folder() as folder:
        env = environment(os.environ, Path(folder))
        if library := _openblas():
            env["LD_PRELOAD"] = str(library)
        child = subprocess.Popen(command, env=env)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the terminal sends it to the child too
                status = child.wait()
                return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
