"""Speech over HTTP: the first sound decides whether the answer is speech or an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from speechmlx import tracing
from speechmlx.protocols.http.request_body import spool, write
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.runtime.front.job import Job
from speechmlx.types import Chunk, Event, Speak, Usage, WordTime, WordTimes

if TYPE_CHECKING:
    from speechmlx.audio.codecs import StreamEncoder


@dataclass
class SpeechNotes:
    """What comes with the audio of one job: the words so far that nobody took yet, and the cost."""

    words: list[WordTime] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def add(self, event: Event) -> None:
        """Keep an event that is no audio."""
        if isinstance(event, WordTimes):
            self.words += event.words
        elif isinstance(event, Usage):
            self.usage = event


async def start_speech(
    context: RequestContext, request: Speak, rate: int, notes: SpeechNotes | None = None
) -> tuple[Chunk, Job]:
    """The first Chunk of `request` and the job that gives the rest, so that an early failure has its own status.

    Speech without sound gives an empty Chunk at `rate` Hz. `notes` get what comes before. Raises the job's
    SpeechErrors.
    """
    job = await context.stack.enter_async_context(context.runtime.submit(request))
    async for event in job:
        if isinstance(event, Chunk):
            return event, job
        if notes is not None:
            notes.add(event)
    return Chunk(b"", rate), job


async def encode_speech(
    first: Chunk, rest: AsyncIterator[Event], build: Callable[[int], StreamEncoder], notes: SpeechNotes | None = None
) -> AsyncGenerator[bytes, None]:
    """Encode the audio, a piece per Chunk. `build` makes the encoder of PCM16 at a rate in Hz, on a thread.

    `notes` get the rest of what the job gives.
    """

    def begin() -> tuple[StreamEncoder, bytes]:
        new = build(first.rate)
        return new, new.push(first.pcm16)

    span = tracing.begin("encode")  # not active: the generator runs in its reader's context
    try:
        encoding, piece = await asyncio.to_thread(begin)
        yield piece
        async for event in rest:
            if isinstance(event, Chunk):
                yield await asyncio.to_thread(encoding.push, event.pcm16)
            elif notes is not None:
                notes.add(event)
        yield await asyncio.to_thread(encoding.finish)
    finally:
        span.end()


async def store_speech(
    context: RequestContext,
    first: Chunk,
    rest: AsyncIterator[Event],
    build: Callable[[int], StreamEncoder],
    notes: SpeechNotes | None = None,
) -> tuple[BinaryIO, int]:
    """All of the audio, encoded: a file with its length in its header, and its bytes.

    The file is on disk if it is long. `notes` get the rest of what the job gives. Raises NoRoom, and the SpeechErrors
    of `rest`.
    """
    encoding = await asyncio.to_thread(build, first.rate)
    file, size = spool(context.stack), 0

    async def add(data: bytes) -> None:
        nonlocal size
        size += len(data)
        await write(file, data, size)

    with tracing.span("encode"):
        await add(await asyncio.to_thread(encoding.push, first.pcm16))
        async for event in rest:
            if isinstance(event, Chunk):
                await add(await asyncio.to_thread(encoding.push, event.pcm16))
            elif notes is not None:
                notes.add(event)
        await add(await asyncio.to_thread(encoding.finish))
    file.seek(0)
    file.write(encoding.head)
    file.seek(0)
    return file, size
