"""Whether a service manager started the server, and what that changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speechmlx.config_sources import load
from speechmlx.service_manager import ENGINE_IDLE, defaults, started_by

SYSTEMD = {"SYSTEMD_EXEC_PID": str(os.getpid())}
LAUNCHD = {"XPC_SERVICE_NAME": "io.speechmlx.server", "HOME": "/Users/ada"}


@pytest.mark.parametrize(
    ("environment", "parent", "manager"),
    [
        (SYSTEMD, 1, "systemd"),
        ({"SYSTEMD_EXEC_PID": "1", "INVOCATION_ID": "a"}, 1, None),
        (LAUNCHD, 1, "launchd"),
        (LAUNCHD, 77, None),
        ({"XPC_SERVICE_NAME": "0"}, 1, None),
        ({}, 1, None),
    ],
)
def test_started_by(
    environment: dict[str, str], parent: int, manager: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getppid", lambda: parent)
    assert started_by(environment) == manager
    assert defaults(environment).get("engine_idle") == (ENGINE_IDLE if manager else None)


def test_a_service_has_defaults_that_everything_else_overrides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert load({}, {"HOME": str(tmp_path)}).engine_idle == 0
    agent = {**LAUNCHD, "HOME": str(tmp_path)}
    assert load({}, agent).engine_idle == 900
    assert load({}, agent).log_file == tmp_path / "Library/Logs/speechmlx/speechmlx.log"
    (tmp_path / "own.toml").write_text('engine_idle = 60\nlog_file = "/tmp/own.log"\n')
    own = load({}, agent, tmp_path / "own.toml")
    assert (own.engine_idle, own.log_file) == (60, Path("/tmp/own.log"))
    assert load({}, {**agent, "SPEECHMLX_ENGINE_IDLE": "0"}).engine_idle == 0
    assert load({}, {**SYSTEMD, "HOME": str(tmp_path)}).log_file is None  # the journal
