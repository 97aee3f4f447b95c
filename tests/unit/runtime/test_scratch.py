"""Folders of processes that have ended are swept, and no others."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from speechmlx.runtime import scratch

ENDED = 2**22 + 1
"""No process has this id: it is above the highest one of Linux and of macOS."""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def folder_of_an_ended_process(monkeypatch: pytest.MonkeyPatch) -> tempfile.TemporaryDirectory[str]:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: ENDED)
        return scratch.folder()


def test_only_folders_of_ended_processes_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (f"other-{ENDED}-x", "speechmlx-demo-x", f"speechmlx-{ENDED}", "speechmlx-0-", f"speechmlx-{2**64}-x")
    others = [tmp_path / name for name in names]
    for folder in others:
        folder.mkdir()
    (tmp_path / f"speechmlx-{ENDED}-link").symlink_to(others[0])
    (tmp_path / f"speechmlx-{ENDED}-file").touch()
    with folder_of_an_ended_process(monkeypatch) as left, scratch.folder() as mine:
        (Path(left) / "lib").mkdir()
        scratch.sweep()
        assert Path(mine).is_dir()
        assert not Path(left).exists()
    assert all(folder.is_dir() for folder in others)
    assert (tmp_path / f"speechmlx-{ENDED}-link").is_symlink()
    assert (tmp_path / f"speechmlx-{ENDED}-file").is_file()


def test_only_this_user_can_enter_a_folder() -> None:
    with scratch.folder() as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
