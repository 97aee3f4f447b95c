"""Speech over HTTP: the first sound decides whether the answer is speech or an error."""

from __future__ import annotations

from speechmlx.protocols.http.routing import RequestContext
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Speak


async def start_speech(context: RequestContext, request: Speak, rate: int) -> tuple[Chunk, Job]:
    """The first Chunk of `request` and the job that gives the rest, so that an early failure has its own status.

    Speech without sound gives an empty Chunk at `rate` Hz. Raises the job's SpeechErrors.
    """
    job = await context.stack.enter_async_context(context.runtime.submit(request))
    async for event in job:
        if isinstance(event, Chunk):
            return event, job
    return Chunk(b"", rate), job
