"""The database is made when it is needed, for its user alone, and says what is wrong with its file."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest
from support.job_rows import ROOMY, add, new

from speechmlx.errors import Busy, Draining, NoRoom, Unavailable
from speechmlx.jobs import database as module
from speechmlx.jobs import store
from speechmlx.jobs.database import JobDatabase


async def test_it_is_made_by_the_first_transaction_and_read_by_its_user_alone(database: JobDatabase) -> None:
    assert not database.exists and not database.folder.exists()
    job = await add(database)
    assert database.exists and stat.S_IMODE(database.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in database.folder.iterdir()} == {0o600}
    assert await database.run(store.get, job.id) == job


async def test_what_fails_changes_nothing(database: JobDatabase) -> None:
    def half(db: sqlite3.Connection) -> None:
        store.add(db, new(), 1.0, ROOMY)
        raise RuntimeError("half")

    with pytest.raises(RuntimeError):
        await database.run(half)
    assert await database.run(store.page, None, 10) == []


async def test_a_disk_that_is_full(database: JobDatabase) -> None:
    """SQLite's own limit of pages gives the error of a full disk."""
    await add(database)
    (pages,) = await database.run(lambda db: tuple(db.execute("PRAGMA page_count").fetchone()))
    await database.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    says = r"the folder of background jobs \(.*jobs\) cannot be written: .*full; see job_folder"

    async def fill() -> None:
        while True:
            await add(database, "x" * 4000)

    with pytest.raises(NoRoom, match=says):
        await fill()


async def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = JobDatabase(tmp_path / "file/jobs")
    with pytest.raises(NoRoom, match=r"cannot be written: .*Not a directory"):
        await add(database)
    await asyncio.to_thread(database.close)


async def test_a_file_that_is_damaged_and_one_of_a_newer_version(database: JobDatabase) -> None:
    database.folder.mkdir()
    file = database.folder / module.FILE
    file.write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable, match=r"jobs\.sqlite3\) is damaged: .*; move it away to begin a new one"):
        await add(database)
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Unavailable, match="it has the version 99, and this server knows 1"):
        await add(database)


async def test_a_file_that_was_deleted_is_made_again(database: JobDatabase) -> None:
    await add(database)
    for path in database.folder.iterdir():
        path.unlink()
    job = await add(database)
    assert await database.run(store.page, None, 10) == [job]


async def test_another_servers_long_transaction(database: JobDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.1)
    await add(database)
    other = sqlite3.connect(database.folder / module.FILE)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="held by another server"):
        await add(database)
    other.close()
    await add(database)


async def test_after_its_end_it_is_shutting_down(database: JobDatabase) -> None:
    await asyncio.to_thread(database.close)
    with pytest.raises(Draining):
        await add(database)
