"""Webhooks with a real store: signed, tried again with longer pauses, given up, and noted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.job_rows import BAD, GOOD, add

from speechmlx.errors import BadRequest, Busy
from speechmlx.jobs import queue, store, webhooks
from speechmlx.jobs.background_job import BackgroundJob, JobHook
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import JobFiles
from speechmlx.jobs.queue import Outcome
from speechmlx.jobs.webhooks import PAUSES, Webhooks

URL = "http://a.b/c"


class Site:
    """Takes messages, after it has raised `errors`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.told: list[tuple[str, bytes, str, dict[str, str]]] = []

    async def __call__(self, url: str, body: bytes, method: str, headers: Mapping[str, str]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.told.append((url, body, method, dict(headers)))


async def ended(database: JobDatabase, hook: JobHook, outcome: Outcome = GOOD) -> BackgroundJob:
    job = await add(database, hook=hook)
    await database.run(queue.claim, "me", 1.0)
    await database.run(queue.finish, job.id, "me", outcome, 2.0)
    return job


async def deliver(database: JobDatabase, files: JobFiles, site: Site, tries: int = 1) -> Webhooks:
    one = Webhooks(database, files, site, b"k" * 32, lambda job: {"id": job.id})
    for _ in range(tries):
        await one.look()
        await asyncio.gather(*one._tasks)
    return one


async def hook_of(database: JobDatabase, job: BackgroundJob) -> tuple[Any, ...]:
    found = await database.run(store.get, job.id)
    assert found is not None
    return found.hook_state, found.hook_tries, found.hook_error


@pytest.mark.parametrize(("outcome", "what"), [(GOOD, "job.done"), (BAD, "job.failed")])
async def test_the_end_of_a_job_is_told_once(
    database: JobDatabase, files: JobFiles, outcome: Outcome, what: str
) -> None:
    site, job = Site(), await ended(database, JobHook(url=URL), outcome)
    await deliver(database, files, site, 2)
    ((url, body, method, headers),) = site.told
    assert (url, method, headers["webhook-id"]) == (URL, "POST", job.id) and headers["webhook-signature"][:3] == "v1,"
    assert json.loads(body)["type"] == what and json.loads(body)["data"] == {"id": job.id}
    assert await hook_of(database, job) == ("delivered", 1, None)


async def test_the_result_itself_is_sent_where_it_is_wanted(database: JobDatabase, files: JobFiles) -> None:
    site, job = Site(), await ended(database, JobHook(url=URL, method="PUT", sends_result=True))
    (files.folder / job.id).mkdir()
    (files.folder / job.id / GOOD.result).write_bytes(b"abc")
    await deliver(database, files, site)
    assert site.told == [(URL, b"abc", "PUT", {"content-type": "text/plain"})]


async def test_it_is_tried_again_with_pauses_and_given_up(
    database: JobDatabase, files: JobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(PAUSES) == sorted(PAUSES)
    monkeypatch.setattr(webhooks, "PAUSES", (-1.0, -1.0))
    site, job = Site(*(BadRequest(f"answered 50{n}") for n in range(3))), await ended(database, JobHook(url=URL))
    await deliver(database, files, site, 2)
    assert await hook_of(database, job) == ("pending", 2, "answered 501")
    await deliver(database, files, site, 3)
    assert await hook_of(database, job) == ("failed", 3, "answered 502") and not site.told


async def test_a_pause_is_kept(database: JobDatabase, files: JobFiles) -> None:
    site, job = Site(BadRequest("no")), await ended(database, JobHook(url=URL))
    await deliver(database, files, site, 3)
    assert await hook_of(database, job) == ("pending", 1, "no")


@pytest.mark.parametrize("error", [Busy("many"), RuntimeError("bug")])
async def test_what_goes_wrong_here_is_tried_again(
    database: JobDatabase, files: JobFiles, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PAUSES", (-1.0,))
    site, job = Site(error), await ended(database, JobHook(url=URL))
    await deliver(database, files, site, 2)
    assert len(site.told) == 1 and (await hook_of(database, job))[0] == "delivered"


async def test_a_stop_leaves_it_to_the_next_server(database: JobDatabase, files: JobFiles) -> None:
    async def never(url: str, body: bytes, method: str, headers: Mapping[str, str]) -> None:
        await asyncio.Event().wait()

    job = await ended(database, JobHook(url=URL))
    one = Webhooks(database, files, never, None, lambda job: {})
    await one.look()
    await one.stop()
    assert not one._tasks and (await hook_of(database, job))[0] == "pending"
