"""Speech over HTTP, in a voice that the client may know from another model."""

from __future__ import annotations

from dataclasses import replace

from speechmlx.conversation.voices import candidates
from speechmlx.errors import UnknownVoice
from speechmlx.protocols.http.routing import Call
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Speak


async def begun(call: Call, request: Speak, voice: str | None, rate: int) -> tuple[Chunk, Job]:
    """The first Chunk of `request` and the job that says the rest, so that what fails before it has its own status.

    The first of the wanted voices that the model has is taken; `rate` counts when there is no sound. Raises
    UnknownVoice.
    """
    *others, last = candidates(voice)
    for wanted in (*others, last):
        job = await call.stack.enter_async_context(call.runtime.submit(replace(request, voice=wanted)))
        try:
            async for event in job:
                if isinstance(event, Chunk):
                    return event, job
            return Chunk(b"", rate), job
        except UnknownVoice:
            if wanted == last:
                raise
    raise AssertionError("the last voice is taken or refused")
