"""The probe tells about MLX's device, in the environment of the engine process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from speechmlx.runtime.worker import blas


def test_it_computes_and_tells_the_device(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "speechmlx.runtime.worker.probe"]
    done = subprocess.run(
        command, env=blas.environment(os.environ, tmp_path), capture_output=True, text=True, timeout=60
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["device"] in ("cpu", "gpu") and found["name"]
    assert found["openblas"] is blas.is_available()
