"""The work of calls: a request on the runtime, whose events become parts, and the whole that they make."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from speechmlx.conversation import respond as cascade
from speechmlx.library.requests import RespondOptions, SpeakOptions, TranscribeOptions
from speechmlx.library.results import Recognised, Sound, SpokenAnswer
from speechmlx.library.sources import read_source, stem, stream_source
from speechmlx.models.spec import Model
from speechmlx.recognition import recognise
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Enhance, Event, Kind, Segment, TextDelta, WordTime, WordTimes

if TYPE_CHECKING:
    from speechmlx.library.sources import Source
    from speechmlx.types import Samples


class Chunks:
    """The chunks of a sound, which is at `rate` Hz if there are none."""

    def __init__(self) -> None:
        self.rate = 0
        self.words: list[WordTime] = []
        self._chunks: list[Chunk] = []

    def add(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)

    def sound(self) -> Sound:
        """The whole sound."""
        return Sound.of(self._chunks, self.rate, self.words)


class AnswerParts:
    """The parts of a spoken answer."""

    def __init__(self) -> None:
        self.chunks = Chunks()
        self._question = ""
        self._text = ""

    def add(self, part: Segment | TextDelta | Chunk) -> None:
        match part:
            case Segment():
                self._question += part.text
            case TextDelta():
                self._text += part.text
            case Chunk():
                self.chunks.add(part)

    def whole(self) -> SpokenAnswer:
        """The whole answer."""
        return SpokenAnswer(self._question.strip(), self._text.strip(), self.chunks.sound())


async def transcribe(
    runtime: Runtime, stack: AsyncExitStack, audio: Source, options: TranscribeOptions, whole: Recognised
) -> AsyncIterator[Segment]:
    """Decode the recording, then recognise it until `stack` closes; `whole` gets every event."""
    model = options.check(runtime)
    request = options.request(model, await read_source(audio, model.rate))
    whole.duration, whole.task, whole.source = request.audio.duration, request.task, stem(audio)
    events = await stack.enter_async_context(aclosing(recognise(runtime, request, options.speakers)))

    async def segments() -> AsyncGenerator[Segment, None]:
        async for event in events:
            whole.add(event)
            if isinstance(event, Segment):
                yield event

    return await stack.enter_async_context(aclosing(segments()))


async def speak(runtime: Runtime, stack: AsyncExitStack, options: SpeakOptions, chunks: Chunks) -> AsyncIterator[Chunk]:
    """Speak until `stack` closes; `chunks` gets every chunk and word."""
    model = runtime.model(options.model, Kind.TTS)
    job = await stack.enter_async_context(runtime.submit(options.request(model)))
    return await _chunks(stack, job, model, chunks, len(options.text) - len(options.text.lstrip()))


async def enhance(
    runtime: Runtime, stack: AsyncExitStack, audio: Source, name: str | None, chunks: Chunks
) -> AsyncIterator[Chunk]:
    """Reduce the noise of a recording, which is decoded meanwhile, until `stack` closes."""
    model = runtime.model(name, Kind.ENHANCE)
    blocks = await stack.enter_async_context(aclosing(stream_source(audio, model.rate)))
    first = await anext(blocks)  # raises what is wrong with the recording
    job = runtime.submit(Enhance(model=model.name)).fed_by(_all(first, blocks))
    return await _chunks(stack, await stack.enter_async_context(job), model, chunks)


async def respond(
    runtime: Runtime, stack: AsyncExitStack, audio: Source, options: RespondOptions, answer: AnswerParts
) -> AsyncIterator[Segment | TextDelta | Chunk]:
    """Answer a spoken question until `stack` closes, by one model where there is one, else by three."""
    direct = options.model is not None or Kind.S2S in runtime.catalog.kinds(runtime.config)
    listener = runtime.model(options.model, Kind.S2S if direct else Kind.ASR)
    speaker = listener if direct else runtime.model(None, Kind.TTS)
    options.check(speaker)
    answer.chunks.rate = speaker.rate
    recording = await read_source(audio, listener.rate)
    request = options.request(listener if direct else None, speaker, recording)
    events: AsyncIterator[Event]
    if direct:
        events = await stack.enter_async_context(runtime.submit(request))
    else:
        events = await stack.enter_async_context(aclosing(cascade.respond(runtime, request)))

    async def parts() -> AsyncGenerator[Segment | TextDelta | Chunk, None]:
        async for event in events:
            if isinstance(event, Segment | TextDelta | Chunk):
                answer.add(event)
                yield event

    return await stack.enter_async_context(aclosing(parts()))


async def _chunks(
    stack: AsyncExitStack, events: AsyncIterator[Event], model: Model, chunks: Chunks, blanks: int = 0
) -> AsyncIterator[Chunk]:
    """`blanks`: characters before the text that is spoken."""
    chunks.rate = model.rate

    async def parts() -> AsyncGenerator[Chunk, None]:
        async for event in events:
            if isinstance(event, Chunk):
                chunks.add(event)
                yield event
            elif isinstance(event, WordTimes):
                chunks.words += (replace(it, first=it.first + blanks, last=it.last + blanks) for it in event.words)

    return await stack.enter_async_context(aclosing(parts()))


async def _all(first: Samples, rest: AsyncIterator[Samples]) -> AsyncGenerator[Samples, None]:
    yield first
    async for block in rest:
        yield block
