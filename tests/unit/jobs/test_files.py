"""The files of jobs: whole, for their user alone, and nothing outside of their folder."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from speechmlx.config import Config
from speechmlx.errors import EngineFailed, NoRoom
from speechmlx.jobs.background_job import new_id
from speechmlx.jobs.files import ORPHAN, JobFiles, default_folder


def test_the_folder_is_the_settings_or_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder(Config(job_folder=tmp_path)) == tmp_path
    monkeypatch.setenv("SPEECHMLX_JOB_FOLDER", str(tmp_path / "other"))
    assert default_folder(Config()) == tmp_path / "other"
    monkeypatch.delenv("SPEECHMLX_JOB_FOLDER")
    assert default_folder(Config()).parts[-2:] == ("speechmlx", "jobs")


def test_a_request_and_its_files_are_kept(files: JobFiles) -> None:
    id = new_id()
    sent = io.BytesIO(b"RIFF" * 1000)
    sent.read()
    files.keep(id, b"{}", [sent, io.BytesIO(b"other")])
    assert files.request(id) == b"{}"
    with files.open(id, 0) as first, files.open(id, 1) as second:
        assert (first.read(), second.read()) == (b"RIFF" * 1000, b"other")
    name = files.keep_result(id, b"text")
    files.keep_only(id, name)
    home = files.folder / id
    assert [path.name for path in home.iterdir()] == [name] and files.result(id, name) == b"text"
    assert stat.S_IMODE((home / name).stat().st_mode) == 0o600 and stat.S_IMODE(home.stat().st_mode) == 0o700
    files.remove(id)
    assert not home.exists()


def test_what_is_gone(files: JobFiles) -> None:
    for read in (files.request, lambda id: files.open(id, 0), lambda id: files.result(id, "result-1")):
        with pytest.raises(EngineFailed, match="files of background jobs are gone"):
            read(new_id())
    files.folder.mkdir()
    id = new_id()
    assert files.result(id, files.keep_result(id, b"why")) == b"why"


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../x", "/etc", "job_" + "0" * 31, "job_" + "G" * 32, "job_" + "0" * 32 + "/"]
)
def test_hostile_ids(files: JobFiles, id: str) -> None:
    for use in (files.request, files.remove, lambda id: files.keep(id, b"", [])):
        with pytest.raises(ValueError, match="is no id of a job"):
            use(id)


def test_a_file_that_cannot_be_written_leaves_nothing(files: JobFiles) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    id = new_id()
    with pytest.raises(NoRoom, match=r"\(.*jobs\) cannot be used: No space left on device; make room there"):
        files.keep(id, b"{}", [Torn()])
    assert not (files.folder / id).exists()


def test_folders_that_nothing_came_to(files: JobFiles) -> None:
    old, fresh = new_id(), new_id()
    for id in (old, fresh):
        files.keep(id, b"{}", [])
    (files.folder / "job_other").mkdir()
    os.utime(files.folder / old, (1.0, 1.0 + ORPHAN))
    assert files.old_folders() == [old]
