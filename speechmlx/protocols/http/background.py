"""Background jobs of a server: which requests become one, what clients see of them, and whose they are.

A request becomes a job by the header `Prefer: respond-async` (RFC 7240) or the option background=true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from speechmlx.config import Config
from speechmlx.errors import BadRequest, Draining, UnknownJob
from speechmlx.jobs import store
from speechmlx.jobs.background_job import ID, BackgroundJob, HookState, JobHook, JobState, NewJob, new_id
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import JobFiles, default_folder
from speechmlx.jobs.journal import current_journal
from speechmlx.jobs.runner import JobRunner
from speechmlx.jobs.signing import read_secret
from speechmlx.jobs.store import StoreLimits
from speechmlx.jobs.webhooks import Webhooks
from speechmlx.key_file import MANAGE
from speechmlx.protocols.http import options
from speechmlx.protocols.http.clients import Client, current_client
from speechmlx.protocols.http.kept_request import write_request
from speechmlx.protocols.http.rate_limits import ClientUsage
from speechmlx.protocols.http.url_fetch import UrlFetcher, check_url
from speechmlx.types import Kind

if TYPE_CHECKING:
    from speechmlx.protocols.http.routing import ErrorHandler, Handler, RequestContext
    from speechmlx.protocols.http.services import Services

PREFERENCE = "respond-async"
SHARE = 0.5
"""Of the store, for one client; programs on this machine and holders of a key that manages may fill it."""
RETRY = "1"
"""Seconds after which a client may look how its job stands."""


class BackgroundJobs:
    """The jobs of a server's store. The app calls `start` and `stop`. Raises BadRequest for a bad webhook_secret."""

    def __init__(self, config: Config, usage: ClientUsage) -> None:
        folder = default_folder(config)
        secret = read_secret(config.webhook_secret) if config.webhook_secret else None
        self.files = JobFiles(folder)
        self._config = config
        self._usage = usage
        self._fetches: UrlFetcher | None = None
        self._database = JobDatabase(folder)
        self._webhooks = Webhooks(self._database, self.files, self._send, secret, self.describe)
        self._handlers: dict[str, tuple[Handler, ErrorHandler]] = {}
        self._runner: JobRunner | None = None

    def start(self, services: Services) -> None:
        """Run the jobs of the store."""
        from speechmlx.protocols.http.job_replay import run_job  # here: it imports the routes' Endpoint

        self._fetches = services.fetches
        work = partial(run_job, services, self._handlers, self.files)
        self._runner = JobRunner(self._database, self.files, work, self._config.job_retention, self._look)
        self._runner.start()

    async def stop(self) -> None:
        """Put the running jobs back, for the next start, and close the store. May be called again."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        await runner.stop()
        await self._webhooks.stop()
        await asyncio.to_thread(self._database.close)

    async def _look(self) -> None:
        self._usage.background = await self._database.run(store.open_jobs)
        await self._webhooks.look()

    # --- requests that become jobs ---

    def deferrable(self, handler: Handler, problem: ErrorHandler) -> Handler:
        """`handler`, which answers a request for a background job with 202, and runs it later."""
        self.register(handler, problem)

        @wraps(handler)
        async def answer(context: RequestContext) -> Response:
            fields, preferred = context.body.options, prefers_async(context.request.headers)
            url = options.text(fields, "webhook")
            if not options.flag(fields, "background", preferred):
                if url is not None:
                    raise BadRequest("'webhook' tells of the end of a background job: it goes with background=true")
                return await handler(context)
            if context.body.upload is None:
                return await handler(context)  # which refuses it in the words of its protocol
            if url is not None:
                self.check_hook(url, "webhook")
            job = await self.accept(context, handler, None if url is None else JobHook(url=url))
            applied = {"Preference-Applied": PREFERENCE} if preferred else {}
            place = {"Location": f"/v1/jobs/{job.id}", "Retry-After": RETRY}
            return JSONResponse(self.describe(job), 202, {**place, **applied})

        return answer

    def register(self, handler: Handler, problem: ErrorHandler) -> None:
        """Let jobs run with `handler`, also those that another server, or an earlier run, accepted."""
        self._handlers[_name(handler)] = handler, problem

    async def accept(self, context: RequestContext, handler: Handler, hook: JobHook | None) -> BackgroundJob:
        """Keep a request as a job of its client.

        Raises LicenceNotAccepted for the model that it names, Draining, RateLimited, NoRoom, Busy and Unavailable.
        """
        context.services.names.check(options.text(context.body.options, "model"), Kind.ASR, Kind.ALIGN)
        client = current_client() or Client("this machine", is_local=True)
        if self._runner is None:
            raise Draining("the server is shutting down", retry_after=5.0)
        self._usage.audio(0.0)
        request, files = write_request(_name(handler), context, client)
        size = len(request) + await asyncio.to_thread(lambda: sum(file.seek(0, 2) for file in files))
        id, path, owner = new_id(), context.request.scope["path"], owner_of(client)
        new = NewJob(id=id, owner=owner, client=client.name, path=path, size=size, hook=hook)
        limits = StoreLimits(self._config.job_storage, share=1.0 if _may_fill(client) else SHARE)
        await self._database.run(store.check_room, owner, size, limits)
        await asyncio.to_thread(self.files.keep, id, request, files)
        try:
            job = await self._database.run(store.add, new, time.time(), limits)
        except BaseException:
            await asyncio.to_thread(self.files.remove, id)
            raise
        self._usage.background[client.name] += 1
        if self._runner is not None:
            self._runner.wake()
        return job

    # --- what clients do with jobs ---

    async def find(self, id: str) -> BackgroundJob:
        """The job with this id, if the current client may see it. Raises UnknownJob."""
        client = current_client()
        job = None
        if ID.fullmatch(id) and self._database.exists:
            job = await self._database.run(store.get, id)
        if job is None or client is None or not (sees_all(client) or job.owner == owner_of(client)):
            raise UnknownJob(
                f"there is no job {id[:80]!r} of yours; ended jobs are kept for {self._config.job_retention:g} s "
                "(job_retention), and GET /v1/jobs lists those that there are"
            )
        return job

    async def page(self, limit: int, after: str | None, state: JobState | None) -> list[BackgroundJob]:
        """Up to `limit` jobs that the current client may see, the newest first: those older than the job `after`."""
        before = None if after is None else (await self.find(after)).number
        client = current_client()
        if client is None or not self._database.exists:
            return []
        owner = None if sees_all(client) else owner_of(client)
        return await self._database.run(store.page, owner, limit, before, state)

    async def cancel(self, job: BackgroundJob) -> BackgroundJob:
        """End a job that is queued or runs. One that has ended stays as it is."""
        if await self._database.run(store.cancel, job.id, time.time()):
            await self._drop(job)
        return await self._database.run(store.get, job.id) or job

    async def delete(self, job: BackgroundJob) -> None:
        """End and forget a job."""
        await self._database.run(store.delete, job.id)
        await self._drop(job)

    async def _drop(self, job: BackgroundJob) -> None:
        if self._runner is not None:
            self._runner.drop(job.id)
        await asyncio.to_thread(self.files.remove, job.id)
        self._usage.background = await self._database.run(store.open_jobs)

    def describe(self, job: BackgroundJob) -> dict[str, Any]:
        """A job as clients read it. Times are Unix seconds."""
        retention, ended = self._config.job_retention, job.finished
        has_result = job.state in (JobState.DONE, JobState.FAILED)
        return {
            "id": job.id,
            "object": "job",
            "state": job.state.value,
            "progress": round(job.progress, 4),
            "duration": None if job.total is None else round(job.total, 2),
            "path": job.path,
            "created_at": int(job.created),
            "started_at": None if job.started is None else int(job.started),
            "finished_at": None if ended is None else int(ended),
            "expires_at": int(ended + retention) if ended is not None and retention else None,
            "error": job.error,
            "result": f"/v1/jobs/{job.id}/result" if has_result else None,
            "webhook": _described_hook(job),
        }

    # --- webhooks ---

    def check_hook(self, url: str, name: str) -> None:
        """Raises BadRequest where nothing is sent to `url`; `name` is that of the client's field."""
        host = check_url(url, name).hostname
        if not self.sends_to(url):
            raise BadRequest(
                f"{name!r}: asking other addresses is off, so that nobody can use this server to reach others; start "
                f"it with --allow-url-fetch, or with --webhook-host {host}"
            )

    def sends_to(self, url: str) -> bool:
        """Whether something may be sent to `url`, as far as its text says. What is no address is refused elsewhere."""
        try:
            named = urlsplit(url).hostname in self._config.webhook_host
        except ValueError:
            named = False
        return named or self._config.allow_url_fetch

    async def _send(self, url: str, body: bytes, method: str, headers: Mapping[str, str]) -> None:
        self.check_hook(url, "webhook")  # the settings may be others than when the job was made
        assert self._fetches is not None, "what is sent is of jobs that were started"
        named = urlsplit(url).hostname in self._config.webhook_host
        await self._fetches.send(url, body, method, headers, (lambda address: True) if named else None)


def in_job() -> bool:
    """Whether the running task works on a background job."""
    return current_journal.get() is not None


def prefers_async(headers: Headers) -> bool:
    """Whether a request has the preference respond-async."""
    wanted = (part.partition(";")[0].strip() for line in headers.getlist("prefer") for part in line.split(","))
    return any(name.lower() == PREFERENCE for name in wanted)


def owner_of(client: Client) -> str:
    """Whose a client's jobs are: of a key, as long as it is the same one; else of an address or this machine."""
    return client.name if client.key is None else f"{client.name} {client.key.sha256[:16]}"


def sees_all(client: Client) -> bool:
    """Whether a client sees the jobs of others."""
    return client.key is not None and MANAGE in client.key.scopes


def _may_fill(client: Client) -> bool:
    return sees_all(client) or (client.is_local and client.key is None)


def _name(handler: Handler) -> str:
    """The name of a handler, the same in every run."""
    return f"{handler.__module__}.{getattr(handler, '__qualname__', type(handler).__name__)}"


def _described_hook(job: BackgroundJob) -> dict[str, Any] | None:
    if job.hook is None or job.hook_state is None:
        return None
    waits = job.hook_state == HookState.PENDING
    return {
        "url": job.hook.url,
        "state": job.hook_state.value,
        "tries": job.hook_tries,
        "error": job.hook_error if waits or job.hook_state == HookState.FAILED else None,
    }
