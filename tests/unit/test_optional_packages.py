"""Extras in the user's folder and programs that a service's PATH does not have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speechmlx import optional_packages
from speechmlx.cli import extras
from speechmlx.errors import BadRequest

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("audio-server")


def test_a_program_is_found_beside_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(optional_packages, "PROGRAM_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
    assert optional_packages.program("espeak-ng") is None
    (tmp_path / "espeak-ng").touch(mode=0o755)
    assert optional_packages.program("espeak-ng") == str(tmp_path / "espeak-ng")


def test_an_installed_extra_can_be_imported_and_replaces_nothing(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    for name in ("only_in_ja", "numpy"):
        package = optional_packages.folder(environment) / "ja" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
    code = (
        "import os; from speechmlx.optional_packages import use; use(os.environ); use(os.environ);"
        "import only_in_ja, numpy; print(numpy.__version__)"
    )
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.count(".") >= 2


def test_each_extra_has_a_hashed_lock_of_what_the_server_has_not() -> None:
    assert {file.stem for file in extras.LOCKS.glob("*.lock")} == set(optional_packages.EXTRAS)

    def packages(file: Path) -> set[str]:
        return {line.split("==")[0] for line in file.read_text().splitlines() if "==" in line.split("#")[0]}

    server = packages(ROOT / "scripts/requirements.lock")
    for name in optional_packages.EXTRAS:
        own = packages(extras.LOCKS / f"{name}.lock")
        assert own and not own & server


@pytest.mark.parametrize("extra", optional_packages.EXTRAS)
def test_nobody_is_told_to_install_a_package_of_our_name(extra: str) -> None:
    """There is none on the package index: whoever registers the name would be installed."""
    assert f"`audio-server extras install {extra}`" in optional_packages.way(extra)
    texts = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *(ROOT / "speechmlx").rglob("*.py")]
    assert [file.name for file in texts if "pip install 'speechmlx" in file.read_text()] == []


def test_list_and_remove(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    (optional_packages.folder(environment) / "zh").mkdir(parents=True)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, "extras", *arguments], env=environment, capture_output=True, text=True)

    installed = [line.split()[0] for line in run("list").stdout.splitlines() if line.split()[1] == "installed"]
    assert installed == ["zh"]
    assert run("remove", "zh", "ja").stdout == "zh: removed\nja: was not installed\n"
    refused = run("install", "latin")
    assert (refused.returncode, refused.stderr) == (
        2,
        "audio-server: there is no extra 'latin'; there are espeak, ja, otel, zh\n",
    )


def test_what_cannot_be_installed_leaves_what_was_there(tmp_path: Path) -> None:
    """The installer is a program on the PATH: here one that writes a part and fails."""
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    uv = tmp_path / "uv"
    uv.write_text(
        '#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\nmkdir -p "$2/half"; echo no network >&2; exit 7\n'
    )
    uv.chmod(0o755)
    before = optional_packages.folder(environment) / "ja" / "package"
    before.mkdir(parents=True)
    done = subprocess.run([COMMAND, "extras", "install", "ja"], env=environment, capture_output=True, text=True)
    assert done.returncode == 7 and "no network" in done.stderr and "ja was not installed" in done.stderr
    assert [path.name for path in before.parents[1].iterdir()] == ["ja"] and before.is_dir()


def test_without_uv_the_pip_of_the_base_python_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = shutil.which("false")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert extras.installer()[1:4] == ["-m", "pip", "install"]
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "_base_executable", failing)
    with pytest.raises(BadRequest, match="brew install uv"):
        extras.installer()
