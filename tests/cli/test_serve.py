"""The server in a terminal: what it says at the start and at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
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
