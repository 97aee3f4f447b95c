"""The command of a service, its files, and the verbs of `audio-server service`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.service_managers import ServiceManagers

from speechmlx.errors import BadRequest
from speechmlx.service.definition import own_command, search_path, write

COMMAND = Path(sys.executable).with_name("audio-server")


def test_the_command_outlives_an_update_of_homebrews(tmp_path: Path) -> None:
    cellar = tmp_path / "Cellar/speechmlx/0.1.0/bin/audio-server"
    cellar.parent.mkdir(parents=True)
    cellar.touch()
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/speechmlx").symlink_to(cellar.parents[1])
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin/audio-server"
    link.symlink_to(cellar)
    assert own_command(str(link)) == str(link)
    assert own_command(str(cellar)) == str(tmp_path / "opt/speechmlx/bin/audio-server")
    with pytest.raises(BadRequest, match="start it by its path"):
        own_command("no-such-command")


def test_the_path_begins_with_the_commands_folder_and_names_each_once() -> None:
    assert search_path("/usr/local/bin/audio-server").split(":")[:2] == ["/usr/local/bin", "/opt/homebrew/bin"]


def test_a_file_is_written_once(tmp_path: Path) -> None:
    assert write(tmp_path / "new/file", b"a") and not write(tmp_path / "new/file", b"a")
    assert write(tmp_path / "new/file", b"b")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "darwin", reason="there it is launchd")
def test_the_verbs(tmp_path: Path) -> None:
    managers = ServiceManagers(tmp_path)
    (tmp_path / "own.toml").write_text("port = 9191\n")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), "service", *arguments]
        return subprocess.run(command, env={**managers.environment, **more}, capture_output=True, text=True)

    assert run("status").returncode == 4
    options = ("--config", str(tmp_path / "own.toml"), "--env", "HF_ENDPOINT")
    refused = run("install", *options)
    assert (refused.returncode, refused.stderr) == (
        2,
        "audio-server: --env HF_ENDPOINT: this shell has no such variable\n",
    )
    done = run("install", *options, HF_ENDPOINT="https://hub.example", SPEECHMLX_PORT="1")
    assert done.returncode == 0, done.stderr
    assert "Address: 127.0.0.1:9191\n" in done.stdout and "Only this shell has SPEECHMLX_PORT" in done.stderr
    unit = (managers.home / ".config/systemd/user/speechmlx.service").read_text()
    assert f'ExecStart="{COMMAND}" "serve" "--config" "{tmp_path}/own.toml"' in unit
    assert 'Environment="HF_ENDPOINT=https://hub.example"' in unit
    told = run("status", "--json")
    assert (told.returncode, json.loads(told.stdout)["pid"]) == (0, 4711)
    (managers.state / "active").unlink()
    (managers.state / "broken").touch()
    assert run("status").stdout.startswith(
        "Not running; it ended with status 2: port must be a number\nMend that, then `audio-server service start`\n"
    )
    (managers.state / "broken").unlink()
    run("start")
    journal = tmp_path / "programs/journalctl"
    journal.write_text('#!/bin/sh\necho "$*"; exit 5\n')
    journal.chmod(0o755)
    shown = run("logs", "-n", "7", "--follow")
    assert (shown.returncode, shown.stdout) == (5, "--user --unit speechmlx.service --lines 7 --follow\n")
    assert run("stop").returncode == 0 and run("status").returncode == 3
    (tmp_path / "own.toml").write_text("prot = 9191\n")
    assert "unknown setting prot" in run("install", *options, HF_ENDPOINT="x").stderr
    assert run("uninstall").returncode == 0 and not (managers.home / ".config/systemd/user/speechmlx.service").exists()
