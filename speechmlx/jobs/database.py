"""The database of background jobs: one connection on a thread of its own, opened when it is first needed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from speechmlx.errors import Busy, Draining, NoRoom, SpeechError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

FILE = "jobs.sqlite3"
VERSION = 1
"""`user_version` of the database."""
WAIT = 10.0
"""Seconds that a write waits for other servers on the same store."""
NO_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, client TEXT NOT NULL,
    path TEXT NOT NULL, state TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL, started REAL, finished REAL,
    total REAL, done REAL NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0, error TEXT, status INTEGER,
    headers TEXT NOT NULL DEFAULT '[]', result TEXT NOT NULL DEFAULT '',
    runner TEXT, lease REAL, claimed REAL, not_before REAL NOT NULL DEFAULT 0,
    hook TEXT, hook_state TEXT, hook_tries INTEGER NOT NULL DEFAULT 0, hook_next REAL NOT NULL DEFAULT 0,
    hook_error TEXT
);
CREATE INDEX by_state ON jobs (state, client);
CREATE INDEX by_owner ON jobs (owner, number);
CREATE INDEX by_hook ON jobs (hook_state, hook_next);
CREATE TABLE entries (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    recognition INTEGER NOT NULL, place INTEGER NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (job, recognition, place)
) WITHOUT ROWID;
"""


class JobDatabase:
    """Runs transactions on the database in `folder`. `close` ends its thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / FILE
        self._threads = ThreadPoolExecutor(1, "jobs")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    @property
    def exists(self) -> bool:
        """Whether a job was ever kept here."""
        return self._path.exists()

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Call `work` in a transaction. Raises NoRoom, Busy and Unavailable, which name the file, and Draining."""

        def transaction() -> T:
            try:
                connection = self._open()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    return work(connection, *arguments, **named)
            except (sqlite3.Error, OSError) as error:
                raise self._sentence(error) from error

        if self._closed:
            raise Draining("the server is shutting down", retry_after=5.0)
        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    def close(self) -> None:
        """Close the connection after what runs, and end the thread. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._threads.submit(self._close)
        self._threads.shutdown(wait=True)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._path.exists():
            return self._connection
        self._close()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's other files get the same mode
        connection = sqlite3.connect(self._path, timeout=WAIT, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # an accepted job survives a loss of power
            connection.execute("PRAGMA foreign_keys = ON")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"it has the version {version}, and this server knows {VERSION}")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sentence(self, error: sqlite3.Error | OSError) -> SpeechError:
        """What a client is told."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, OSError) or code in NO_SPACE:
            return NoRoom(f"the folder of background jobs ({self.folder}) cannot be written: {error}; see job_folder")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy("the store of background jobs is held by another server", retry_after=1.0)
        if code in DAMAGED:
            self._close()
            return Unavailable(
                f"the store of background jobs ({self._path}) is damaged: {error}; move it away to begin a new one"
            )
        return Unavailable(f"the store of background jobs ({self._path}) cannot be used: {error}")
