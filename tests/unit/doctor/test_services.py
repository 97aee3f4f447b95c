"""Services of a Mac: this command's own, Homebrew's, both, and those that macOS was told not to start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.patients import patient

from speechmlx.doctor.finding import Finding
from speechmlx.doctor.services import BREW_LABEL, check_service
from speechmlx.service.launchd import AGENTS, BREW, LABEL

RUNNING = "gui/501/io.speechmlx.server = {\n\tstate = running\n\tpid = 4711\n}\n"
ENDED = "gui/501/io.speechmlx.server = {\n\tstate = not running\n\tlast exit code = 2\n}\n"


def findings(home: Path, printed: str, *files: str, disabled: str = "") -> list[Finding]:
    """What is found on a Mac with these files and a launchctl that prints this."""
    agents = home / AGENTS
    agents.mkdir(parents=True, exist_ok=True)
    for name in files:
        (agents / name).touch()
    tool = home / "bin/launchctl"
    tool.parent.mkdir(exist_ok=True)
    (home / "printed").write_text(printed)
    tool.write_text(f'#!/bin/sh\n[ -s "{home}/printed" ] && exec cat "{home}/printed"\nexit 113\n')
    tool.chmod(0o755)
    environment = {"HOME": str(home), "PATH": f"{tool.parent}:{os.environ['PATH']}"}
    machine = patient({f"print-disabled gui/{os.getuid()}": disabled}, environment=environment)
    return list(check_service(machine))


@pytest.mark.parametrize(
    ("printed", "files", "state", "words"),
    [
        ("", (), "note", "there is none"),
        (RUNNING, (f"{LABEL}.plist",), "ok", "runs as process 4711"),
        (ENDED, (f"{LABEL}.plist",), "warning", "it ended with status 2"),
        ("", (f"{LABEL}.plist",), "note", "it does not run"),
        ("", (BREW,), "ok", "Homebrew's"),
    ],
)
def test_one_service_or_none(tmp_path: Path, printed: str, files: tuple[str, ...], state: str, words: str) -> None:
    (found,) = findings(tmp_path, printed, *files)
    assert found.state == state and words in found.text


def test_two_services(tmp_path: Path) -> None:
    both, own = findings(tmp_path, RUNNING, f"{LABEL}.plist", BREW)
    assert (both.state, own.state) == ("warning", "ok") and "brew services stop" in both.to_do


def test_a_service_that_says_why_it_ended(tmp_path: Path) -> None:
    output = tmp_path / "Library/Logs/speechmlx/speechmlx.out"
    output.parent.mkdir(parents=True)
    output.write_text("audio-server: port must be a number\n")
    (found,) = findings(tmp_path, ENDED.replace("2", "0"), f"{LABEL}.plist")
    assert (found.state, found.text) == ("warning", "it ended with status 0: port must be a number")
    assert found.to_do == "Mend that, then `audio-server service start`."


@pytest.mark.parametrize("label", [LABEL, BREW_LABEL])
def test_a_service_that_was_switched_off(tmp_path: Path, label: str) -> None:
    told = f'disabled services = {{\n\t\t"com.apple.x" => enabled\n\t\t"{label}" => disabled\n\t}}\n'
    *_, found = findings(tmp_path, "", f"{LABEL}.plist", disabled=told)
    assert found.state == "warning" and label in found.text and "Login Items" in found.to_do
