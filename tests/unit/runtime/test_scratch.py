"""Folders of processes that were killed are swept, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from speechmlx.runtime import scratch


def test_only_what_a_process_that_is_no_more_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import os, signal; from speechmlx.runtime import scratch; d = scratch.folder(); print(d.name, flush=True)"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    killed = subprocess.run(
        [sys.executable, "-c", f"{code}; os.kill(os.getpid(), signal.SIGKILL)"], capture_output=True, text=True, env=env
    )
    left = Path(killed.stdout.strip())
    (left / "lib").mkdir()
    pid = left.name.split("-")[1]
    others = [tmp_path / name for name in (f"other-{pid}-x", "speechmlx-demo-x", f"speechmlx-{pid}", "speechmlx-0-")]
    for folder in others:
        folder.mkdir()
    (tmp_path / f"speechmlx-{pid}-link").symlink_to(others[0])
    with scratch.folder() as mine:
        scratch.sweep()
        assert Path(mine).is_dir()
    assert not left.exists()
    assert all(folder.is_dir() for folder in others)
    assert (tmp_path / f"speechmlx-{pid}-link").is_symlink()
