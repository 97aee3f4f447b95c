"""The user units of systemd: what systemd itself says about them, and what is asked of systemctl."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.service_managers import ServiceManagers

from speechmlx.errors import BadRequest
from speechmlx.service import control
from speechmlx.service.definition import ServiceDefinition
from speechmlx.service.launchd import LaunchdAgent
from speechmlx.service.systemd import SystemdUnit, service_unit, socket_unit

DEFINITION = ServiceDefinition(("/bin/echo", "serve", "--config", '/a b/100%/"$HOME".toml'), {"PATH": "/a $b:/usr/bin"})


@pytest.fixture
def managers(tmp_path: Path) -> ServiceManagers:
    return ServiceManagers(tmp_path)


@pytest.fixture
def systemd(managers: ServiceManagers) -> SystemdUnit:
    return SystemdUnit(managers.environment)


@pytest.mark.parametrize("socket", [None, ("127.0.0.1", 8080), ("::1", 8080)])
def test_systemd_finds_nothing_wrong(socket: tuple[str, int] | None, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze") or pytest.skip("systemd is not installed")
    files = [tmp_path / "speechmlx.service"]
    files[0].write_text(service_unit(replace(DEFINITION, socket=socket)))
    if socket is not None:
        files.append(tmp_path / "speechmlx.socket")
        files[1].write_text(socket_unit(*socket))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run([verify, "--user", "verify", *files], env=environment, capture_output=True, text=True)
    # The system's own units may find the path of the folder too long.
    told = [line for line in done.stderr.splitlines() if "speechmlx.service" in line or "speechmlx.socket" in line]
    assert told == [] and done.returncode == 0, done.stderr


def test_words_reach_the_server_as_they_are() -> None:
    unit = service_unit(DEFINITION)
    assert 'ExecStart="/bin/echo" "serve" "--config" "/a b/100%%/\\"$$HOME\\".toml"\n' in unit
    assert 'Environment="PATH=/a $b:/usr/bin"\n' in unit
    assert "Restart=on-failure\nRestartPreventExitStatus=2\n" in unit  # and not 75: that may pass
    assert "WantedBy=default.target" in unit
    with pytest.raises(BadRequest, match="control character"):
        service_unit(ServiceDefinition(("/bin/echo", "a\nExecStart=/bin/true")))


def test_install_is_idempotent(managers: ServiceManagers, systemd: SystemdUnit) -> None:
    file = managers.home / ".config/systemd/user/speechmlx.service"
    assert systemd.install(DEFINITION)[:2] == [f"Wrote {file}", "Started; it starts again at each login"]
    enabled = ["systemctl --user daemon-reload", "systemctl --user enable speechmlx.service"]
    assert managers.calls() == [*enabled, "systemctl --user start speechmlx.service"]
    assert systemd.install(DEFINITION)[0] == f"Unchanged: {file}"
    assert managers.calls() == [*enabled, "systemctl --user start speechmlx.service"]
    assert systemd.install(replace(DEFINITION, environment={})) == [f"Wrote {file}", "Restarted"]
    assert managers.calls() == [*enabled, "systemctl --user restart speechmlx.service"]


def test_a_socket_comes_and_goes_with_the_option(managers: ServiceManagers, systemd: SystemdUnit) -> None:
    systemd.install(replace(DEFINITION, socket=("127.0.0.1", 8080)))
    assert "systemctl --user start speechmlx.socket" in managers.calls()
    systemd.stop()
    assert managers.calls() == ["systemctl --user stop speechmlx.socket speechmlx.service"]
    systemd.install(DEFINITION)
    assert managers.calls()[0] == "systemctl --user disable --now speechmlx.service speechmlx.socket"
    assert [file.name for file in systemd.file.parent.iterdir()] == ["speechmlx.service"]


def test_its_life(managers: ServiceManagers, systemd: SystemdUnit) -> None:
    systemd.install(DEFINITION)
    assert (systemd.status().running, systemd.status().pid) == (True, 4711)
    systemd.stop()
    assert (systemd.status().installed, systemd.status().running, systemd.status().exit) == (True, False, "")
    (managers.state / "broken").touch()
    with pytest.raises(BadRequest, match=r"start speechmlx.service failed: Job failed\. See journalctl\."):
        systemd.start()
    assert (systemd.status().exit, systemd.status().said) == ("2", "port must be a number")
    (managers.home.parent / "programs/journalctl").unlink()
    assert (systemd.status().exit, systemd.status().said) == ("2", "")
    assert systemd.uninstall()[0] == f"Deleted {systemd.file}"
    assert systemd.uninstall() == [f"There is no service: {systemd.file} is not there"]
    with pytest.raises(BadRequest, match="`audio-server service install` makes it"):
        systemd.restart()


def test_homebrews_service_is_left_alone(managers: ServiceManagers, systemd: SystemdUnit) -> None:
    systemd.file.parent.mkdir(parents=True)
    (systemd.file.parent / "homebrew.speechmlx.service").touch()
    with pytest.raises(BadRequest, match="`brew services stop speechmlx` ends that first"):
        systemd.install(DEFINITION)
    assert systemd.status().other.endswith("homebrew.speechmlx.service") and managers.calls() == []


def test_each_system_has_its_manager() -> None:
    assert isinstance(control({}, "linux"), SystemdUnit)
    assert isinstance(control({}, "darwin"), LaunchdAgent)
    with pytest.raises(BadRequest, match="there is no service for win32"):
        control({}, "win32")
