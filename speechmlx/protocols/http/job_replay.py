"""Runs the request of a background job with its handler, and keeps the answer as the synchronous route gives it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from starlette.responses import Response
from starlette.types import Message

from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.jobs.background_job import BackgroundJob
from speechmlx.jobs.files import JobFiles
from speechmlx.jobs.journal import JobJournal, current_journal
from speechmlx.jobs.queue import Outcome
from speechmlx.jobs.runner import is_passing
from speechmlx.protocols.http import openai_errors
from speechmlx.protocols.http.clients import Client, working_for
from speechmlx.protocols.http.kept_request import KeptRequest, read_request
from speechmlx.protocols.http.routing import ErrorHandler, Handler, RequestContext
from speechmlx.protocols.http.services import Services

log = logging.getLogger(__name__)

NOTHING = KeptRequest("", Client("this machine", is_local=True), {"type": "http", "method": "POST", "headers": []}, {})
"""Stands for a request that cannot be read."""
Handlers = Mapping[str, tuple[Handler, ErrorHandler]]


class AnswerRecorder:
    """ASGI's `send`, which keeps the answer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            pairs = message.get("headers", ())
            self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


async def run_job(
    services: Services,
    handlers: Handlers,
    files: JobFiles,
    job: BackgroundJob,
    journal: JobJournal,
    error: SpeechError | None,
) -> Outcome:
    """Run a job in the task under way; with `error` the job fails with it. Raises errors that pass."""
    try:
        kept = read_request(await asyncio.to_thread(files.request, job.id))
    except Exception as damage:
        log.exception("%s cannot be read", job.id)
        error = EngineFailed(f"what the job was to do cannot be read any more: {damage}")
        kept = NOTHING
    handler, problem = handlers.get(kept.handler, (_unknown, openai_errors.problem))
    answer = AnswerRecorder()
    current_journal.set(journal)
    with working_for(replace(kept.client, is_charged=job.total is None)):
        async with AsyncExitStack() as stack:
            if error is None:
                error = await _answer(services, job, kept, files, handler, answer, stack)
            if error is not None:
                answer = AnswerRecorder()
                await problem(error)(kept.scope, kept.request().receive, answer)
    name = await asyncio.to_thread(files.keep_result, job.id, bytes(answer.body))
    failure = openai_errors.envelope(error) if error is not None else _failure(answer.status)
    return Outcome(
        status=answer.status, headers=answer.headers, result=name, size=len(answer.body), error=failure or None
    )


async def _answer(
    services: Services,
    job: BackgroundJob,
    kept: KeptRequest,
    files: JobFiles,
    handler: Handler,
    answer: AnswerRecorder,
    stack: AsyncExitStack,
) -> SpeechError | None:
    """Record the handler's answer. Returns the error that it ended with. Raises errors that pass."""
    try:
        body = kept.open(lambda number: files.open(job.id, number), stack)
        context = RequestContext(kept.request(), services, body, stack)
        response = await handler(context)
        await response(context.request.scope, context.request.receive, answer)
    except SpeechError as error:
        if is_passing(error):
            raise
        log.warning("%s failed: %s", job.id, error)
        return error
    except Exception:
        services.runtime.refusal.check()  # where files are gone, the job goes on at the next start
        log.exception("%s failed", job.id)
        return EngineFailed(f"the server failed on this job; its log has the traceback, under {job.id}")
    return None


def _failure(status: int) -> dict[str, object]:
    """The error of an answer that a handler gave without raising."""
    if status < 400:
        return {}
    return openai_errors.envelope(EngineFailed(f"the answer has the status {status}; the result says why"))


async def _unknown(context: RequestContext) -> Response:
    raise EngineFailed("this version of the server does not have the route that the job was made for")
