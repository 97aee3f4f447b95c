"""The agent of launchd: its property list, and what is asked of launchctl, which is a program on the PATH here."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

import pytest
from support.service_managers import ServiceManagers

from speechmlx.errors import BadRequest
from speechmlx.service.definition import ServiceDefinition
from speechmlx.service.launchd import LaunchdAgent, agent

DEFINITION = ServiceDefinition(("/opt/homebrew/bin/audio-server", "serve"), {"PATH": "/opt/homebrew/bin:/usr/bin"})
DOMAIN = f"gui/{os.getuid()}"
TARGET = f"{DOMAIN}/io.speechmlx.server"


@pytest.fixture
def managers(tmp_path: Path) -> ServiceManagers:
    return ServiceManagers(tmp_path)


@pytest.fixture
def launchd(managers: ServiceManagers) -> LaunchdAgent:
    return LaunchdAgent(managers.environment, sleep=lambda _: None, console=managers.home)  # this user's


def test_the_property_list_survives_plistlib_and_has_what_launchd_needs() -> None:
    made = plistlib.loads(plistlib.dumps(agent(DEFINITION, Path("/Users/ada"))))
    assert made["ProgramArguments"] == ["/opt/homebrew/bin/audio-server", "serve"]
    assert made["EnvironmentVariables"]["PATH"].startswith("/opt/homebrew/bin")
    assert made["RunAtLoad"] is True and made["KeepAlive"] == {"SuccessfulExit": False}
    assert made["SoftResourceLimits"] == {"NumberOfFiles": 8192}
    assert (made["ProcessType"], made["ThrottleInterval"], made["ExitTimeOut"]) == ("Interactive", 30, 30)
    assert made["StandardErrorPath"] == "/Users/ada/Library/Logs/speechmlx/speechmlx.out"
    assert "Sockets" not in made


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", "IPv4"), ("::1", "IPv6")])
def test_with_a_socket_launchd_listens_and_starts_nothing_yet(host: str, family: str) -> None:
    made = agent(ServiceDefinition(DEFINITION.command, {}, (host, 8080)), Path("/Users/ada"))
    listeners = {"SockNodeName": host, "SockServiceName": "8080", "SockType": "stream", "SockFamily": family}
    assert made["Sockets"] == {"Listeners": listeners} and made["RunAtLoad"] is False
    assert "KeepAlive" not in made  # it would imply RunAtLoad


def test_install_is_idempotent(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    file = managers.home / "Library/LaunchAgents/io.speechmlx.server.plist"
    assert launchd.install(DEFINITION) == [f"Wrote {file}", "Started; it starts again at each login"]
    assert managers.calls() == [f"launchctl bootstrap {DOMAIN} {file}"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert launchd.install(DEFINITION) == [f"Unchanged: {file}", "It runs already"]
    assert managers.calls() == []
    other = ServiceDefinition(DEFINITION.command, {"HF_ENDPOINT": "https://hub.example"})
    assert launchd.install(other)[0] == f"Wrote {file}"
    assert managers.calls() == [f"launchctl bootout {TARGET}", f"launchctl bootstrap {DOMAIN} {file}"]


def test_its_life(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    launchd.install(DEFINITION)
    assert (launchd.status().running, launchd.status().pid) == (True, 4711)
    assert launchd.restart() == ["Restarted"] and launchd.status().pid == 4712
    assert launchd.stop()[0].startswith("Stopped")
    assert launchd.stop() == ["It does not run"]
    assert (launchd.status().installed, launchd.status().running) == (True, False)
    assert launchd.restart() == ["Started; it starts again at each login"] and launchd.status().running
    (managers.state / "loaded").write_text("ended")
    assert (launchd.status().running, launchd.status().exit) == (False, "2")
    assert launchd.status().said == ""
    output = managers.home / "Library/Logs/speechmlx/speechmlx.out"
    output.write_text("Ready\n" * 9_999 + "audio-server: there is no model 'ears'\n")
    assert launchd.status().said == "there is no model 'ears'"
    output.write_text("audio-server: there is no model 'ears'\nReady\n")  # and it was stopped
    assert launchd.status().said == ""
    managers.calls()
    assert launchd.start() == ["Started"]
    assert managers.calls() == [f"launchctl kickstart {TARGET}"]
    assert launchd.uninstall() == [f"Deleted {launchd.file}", "Models, settings and logs stay"]
    assert launchd.uninstall() == [f"There is no service: {launchd.file} is not there"]
    with pytest.raises(BadRequest, match=r"`audio-server service install` makes it$"):
        launchd.start()


def test_an_agent_that_is_still_ending_is_waited_for(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    (managers.state / "slow").touch()
    launchd.install(DEFINITION)
    assert launchd.install(ServiceDefinition(DEFINITION.command))[-1] == "Started; it starts again at each login"
    assert launchd.stop()[0].startswith("Stopped")
    launchd.start()
    (managers.state / "endless").touch()
    with pytest.raises(BadRequest, match=r"io\.speechmlx\.server did not end in 35 s"):
        launchd.uninstall()
    assert launchd.file.exists()
    (managers.state / "endless").unlink()
    assert launchd.uninstall()[0] == f"Deleted {launchd.file}"


def test_an_agent_that_may_not_be_ended(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    launchd.install(DEFINITION)
    (managers.state / "stuck").touch()
    with pytest.raises(BadRequest, match=r"launchctl bootout .* failed: Boot-out failed: 1: Operation not permitted"):
        launchd.stop()


def test_with_another_user_at_the_screen_it_runs_without_one(
    managers: ServiceManagers, launchd: LaunchdAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over SSH on a Mac at which nobody is logged in: there is no session gui/UID then."""
    (managers.state / "headless").touch()
    with pytest.raises(BadRequest, match="125: Domain does not support specified action"):
        launchd.install(DEFINITION)
    console, user = launchd.file.parent, os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: user)
    remote = LaunchdAgent(managers.environment, sleep=lambda _: None, console=console)
    remote.install(DEFINITION)
    assert plistlib.loads(remote.file.read_bytes())["LimitLoadToSessionType"] == "Background"
    assert managers.calls()[-1] == f"launchctl bootstrap user/{user} {remote.file}"
    # The same user, now at the screen, finds it in the other session.
    at_the_screen = LaunchdAgent(managers.environment, sleep=lambda _: None, console=managers.state / "none")
    assert at_the_screen.status().running and at_the_screen.restart() == ["Restarted"]
    (managers.state / "headless").unlink()
    at_the_screen.install(DEFINITION)
    assert managers.calls() == [
        f"launchctl kickstart -k user/{user}/io.speechmlx.server",
        f"launchctl bootout user/{user}/io.speechmlx.server",
        f"launchctl bootstrap gui/{user} {remote.file}",
    ]
    assert "LimitLoadToSessionType" not in plistlib.loads(remote.file.read_bytes())


def test_homebrews_service_is_left_alone(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    brew = managers.home / "Library/LaunchAgents/homebrew.mxcl.speechmlx.plist"
    brew.parent.mkdir(parents=True)
    brew.touch()
    with pytest.raises(BadRequest, match="`brew services stop speechmlx` ends that first"):
        launchd.install(DEFINITION)
    assert not launchd.file.exists() and managers.calls() == []
    assert launchd.status().other == str(brew)
    with pytest.raises(BadRequest, match="brew services info speechmlx"):
        launchd.start()


def test_what_launchctl_says_is_told(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    launchd.install(DEFINITION)
    launchd.stop()
    (managers.home.parent / "programs/launchctl").write_text("#!/bin/sh\necho 'Bootstrap failed: 125' >&2; exit 125\n")
    with pytest.raises(BadRequest, match=r"launchctl bootstrap .* failed: Bootstrap failed: 125"):
        launchd.start()
    (managers.home.parent / "programs/launchctl").unlink()
    with pytest.raises(BadRequest, match="launchctl was not found"):
        launchd.start()


def test_logs(managers: ServiceManagers, launchd: LaunchdAgent) -> None:
    with pytest.raises(BadRequest, match="there is no log yet"):
        launchd.log_command(10, False)
    launchd.install(DEFINITION)
    log = managers.home / "Library/Logs/speechmlx/speechmlx.log"
    log.touch()
    assert launchd.log_command(10, True) == ["tail", "-n", "10", "-F", str(log)]
    log.with_suffix(".out").touch()
    assert launchd.log_command(5, False) == ["tail", "-n", "5", str(log.with_suffix(".out")), str(log)]
