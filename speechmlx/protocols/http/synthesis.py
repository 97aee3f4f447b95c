"""Speech over HTTP: the first sound decides whether the answer is speech or an error."""

from __future__ import annotations

from dataclasses import replace

from speechmlx.conversation.voices import candidates
from speechmlx.errors import UnknownVoice
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Speak


async def start_speech(context: RequestContext, request: Speak, voice: str | None, rate: int) -> tuple[Chunk, Job]:
    """The first Chunk of `request` and the job that gives the rest, so that an early failure has its own status.

    `voice` may be known from another model: the first of its candidates that this model has is taken. Speech without
    sound gives an empty Chunk at `rate` Hz. Raises UnknownVoice and the job's other errors.
    """
    *others, last = candidates(voice)
    for candidate in (*others, last):
        job = await context.stack.enter_async_context(context.runtime.submit(replace(request, voice=candidate)))
        try:
            async for event in job:
                if isinstance(event, Chunk):
                    return event, job
            return Chunk(b"", rate), job
        except UnknownVoice:
            if candidate == last:
                raise
    raise AssertionError("the last voice is taken or refused")
