"""The files of background jobs: a folder for each, which only this user can read. Everything here blocks."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from speechmlx.config import Config
from speechmlx.errors import EngineFailed, NoRoom
from speechmlx.jobs.background_job import ID
from speechmlx.private_files import sync_folder, write_private

REQUEST = "request.json"
BLOCK = 1 << 20
ORPHAN = 3600.0
"""Seconds after which a folder without a job is deleted: its server ended before the job was accepted."""


def default_folder(config: Config) -> Path:
    """The folder of the store: from the config, else $SPEECHMLX_JOB_FOLDER, else in the user's data folder."""
    if config.job_folder is not None:
        return config.job_folder
    if chosen := os.environ.get("SPEECHMLX_JOB_FOLDER"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("speechmlx", appauthor=False) / "jobs"


class JobFiles:
    """The folders of jobs in `folder`. Raises NoRoom where they cannot be used, and EngineFailed for what is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, id: str, request: bytes, files: Sequence[BinaryIO]) -> None:
        """Write a job's request and its files, and bring them to the disk."""
        with self._room():
            home = self._home(id)
            home.mkdir(mode=0o700, parents=True)
            try:
                write_private(home / REQUEST, [request])
                for number, file in enumerate(files):
                    file.seek(0)
                    write_private(home / f"file-{number}", iter(lambda file=file: file.read(BLOCK), b""))  # type: ignore[misc]
                sync_folder(home)
                sync_folder(self.folder)
            except BaseException:
                shutil.rmtree(home, ignore_errors=True)
                raise

    def request(self, id: str) -> bytes:
        """A job's request."""
        with self._room():
            return (self._home(id) / REQUEST).read_bytes()

    def open(self, id: str, number: int) -> BinaryIO:
        """One of a job's files, for reading."""
        with self._room():
            return (self._home(id) / f"file-{number}").open("rb")

    def keep_result(self, id: str, body: bytes) -> str:
        """Write the body of a job's result. Returns the name of its file."""
        name = f"result-{secrets.token_hex(4)}"  # of this run: another server may have taken the job
        with self._room():
            self._home(id).mkdir(mode=0o700, exist_ok=True)
            write_private(self._home(id) / name, [body])
            sync_folder(self._home(id))
        return name

    def result(self, id: str, name: str) -> bytes:
        """The body of a result."""
        with self._room():
            return (self._home(id) / name).read_bytes()

    def keep_only(self, id: str, name: str) -> None:
        """Delete a job's files but its result."""
        for path in self._home(id).glob("*"):
            if path.name != name:
                path.unlink(missing_ok=True)

    def remove(self, id: str) -> None:
        """Delete a job's folder."""
        shutil.rmtree(self._home(id), ignore_errors=True)

    def old_folders(self) -> list[str]:
        """The ids of folders that nothing was added to for ORPHAN seconds."""
        now, found = time.time(), []
        for path in self.folder.glob("job_*"):
            try:
                if ID.fullmatch(path.name) and now - path.stat().st_mtime > ORPHAN:
                    found.append(path.name)
            except OSError:
                continue  # it went meanwhile
        return found

    def _home(self, id: str) -> Path:
        if not ID.fullmatch(id):
            raise ValueError(f"{id!r} is no id of a job")
        return self.folder / id

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise EngineFailed(f"files of background jobs are gone from {self.folder}") from error
        except OSError as error:
            raise NoRoom(
                f"the folder of background jobs ({self.folder}) cannot be used: {error.strerror or error}; "
                "make room there, or see job_folder"
            ) from error
