"""A real store in a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import JobFiles


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[JobDatabase]:
    database = JobDatabase(tmp_path / "jobs")
    yield database
    await asyncio.to_thread(database.close)


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    return JobFiles(tmp_path / "jobs")
