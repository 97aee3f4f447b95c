"""The server in a terminal: what it says at the start and at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from support.pty import CODES, start

TESTS = Path(__file__).parents[1]


def test_the_banner_and_ctrl_c(tmp_path: Path) -> None:
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    own = {
        "HOME": str(tmp_path),
        "PYTHONPATH": path,
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(tmp_path / "cache"),
        "SPEECHMLX_JOB_FOLDER": str(tmp_path / "jobs"),
        "SPEECHMLX_PROFILE": "starter",
    }
    child = start("--port", "0", env=own)
    child.expect("Ready\r\n")
    lines = CODES.sub("", child.before or "").replace("\r\n", "\n").splitlines()
    told = [line.split(":")[0].split(" on ")[0] for line in lines if line[:1].isupper()]
    assert told == ["Starting server", "Models", "Docs", "Log"]
    assert "http://127.0.0.1:" in lines[0] and "open it in a browser" in lines[0]
    assert "whisper-base (150 MB)" in lines[1] and lines[1].endswith("fetched when first used")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and "stopping" in (child.before or "")


HAS_GPU = "import mlx.core as mx; print(mx.default_device().type == mx.gpu)"
"""For a process of its own: this one forks, which the threads of MLX's BLAS do not like."""


def test_a_gpu_that_is_not_there_ends_the_server_once(tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-c", HAS_GPU], capture_output=True, text=True).stdout.strip() == "True":
        pytest.skip("MLX has a GPU here")
    environment = {**os.environ, "HOME": str(tmp_path), "SPEECHMLX_LOG_FORMAT": "text"}
    command = [str(Path(sys.executable).with_name("audio-server")), "--port", "0", "--profile", "starter"]
    done = subprocess.run(
        [*command, "--device", "gpu"], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith(
        "audio-server: device = gpu, and this machine has no GPU that MLX can compute on; the log says more. "
        "Take --device auto or cpu\n"
    )
    assert done.stderr.count("MLX cannot compute on a GPU on this machine: it finds none") == 1
    assert "Ready" not in done.stdout and "Traceback" not in done.stderr
