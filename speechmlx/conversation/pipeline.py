"""A spoken answer from three models: recognition → language model → synthesis, clause by clause.

It answers the same request with the same events as a speech-to-speech model would.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from speechmlx.conversation.voices import candidates
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.runtime.front import Runtime
from speechmlx.runtime.job import Job
from speechmlx.text import finished
from speechmlx.types import (
    Chunk,
    Event,
    Generate,
    Kind,
    LanguageDetected,
    Message,
    Respond,
    Segment,
    Speak,
    TextDelta,
    Transcribe,
    Usage,
)

STEP = 0.08
"""Seconds of answer per step of `max_steps`."""
TOKENS_PER_SECOND = 4.0
"""About what speech needs; more would be written and never said."""
MIN_TOKENS = 16
REPETITION_PENALTY = 1.1
"""Small models otherwise say one sentence again and again; more makes them avoid the right word."""
CLAUSE = 24
"""Characters that are worth speaking on their own."""
INSTRUCTIONS = "You are a helpful voice assistant. Answer the question in one short sentence."


def model_names(runtime: Runtime) -> str:
    """The three models that answer."""
    return "+".join(runtime.model(None, kind).name for kind in (Kind.ASR, Kind.LLM, Kind.TTS))


async def respond(runtime: Runtime, request: Respond) -> AsyncGenerator[Event, None]:
    """Events of the answer: what was heard (LanguageDetected, Segment*), then for each clause of the answer a TextDelta
    and its Chunk*, and a Usage. The first clause is spoken while the next is written.

    Close it (`contextlib.aclosing`) and every job under way is cancelled. Raises BadRequest where no speech was heard.
    """
    heard: list[str] = []
    language = request.language
    async with runtime.submit(Transcribe(audio=request.audio, language=language, priority=request.priority)) as hearing:
        async for event in hearing:
            if isinstance(event, Segment):
                heard.append(event.text)
            if isinstance(event, Segment | LanguageDetected):
                yield event
    question = "".join(heard).strip()
    if not question:
        raise BadRequest("no speech was heard in the audio")
    async with aclosing(_answer(runtime, request, question)) as answer:
        async for event in answer:
            yield event


async def _answer(runtime: Runtime, request: Respond, question: str) -> AsyncGenerator[Event, None]:
    seconds = request.max_steps * STEP
    generate = Generate(
        messages=(Message("system", request.instructions or INSTRUCTIONS), Message("user", question)),
        max_tokens=max(MIN_TOKENS, math.ceil(seconds * TOKENS_PER_SECOND)),
        repetition_penalty=REPETITION_PENALTY,
        priority=request.priority,
    )
    said, full = 0.0, False
    async with runtime.submit(generate) as writing, aclosing(_clauses(writing, generate.max_tokens)) as written:
        async for clause in written:
            yield TextDelta(clause)
            async with aclosing(_spoken(runtime, request, clause.strip())) as chunks:
                async for chunk in chunks:
                    left = round((seconds - said) * chunk.rate)
                    if left <= 0:
                        full = True
                        break
                    kept = replace(chunk, pcm16=chunk.pcm16[: 2 * left])
                    said += kept.duration
                    yield kept
            if full:
                break
    if not said:
        raise EngineFailed("the language model gave no answer")
    yield Usage(audio_in=request.audio.duration, audio_out=said)


async def _clauses(writing: Job, max_tokens: int) -> AsyncGenerator[str, None]:
    """Clauses of a text while it is written: the writing goes on while one of them is being spoken.

    Joined they are the text, but that a sentence the limit cut off is left out when others were whole.
    """
    written: asyncio.Queue[str | None] = asyncio.Queue()

    async def write() -> None:
        pending, tokens, complete = "", 0, False
        try:
            async for event in writing:
                if isinstance(event, Usage):
                    tokens = event.tokens_out
                elif isinstance(event, TextDelta):
                    done, pending = finished(pending + event.text, CLAUSE, by_clause=True)
                    for clause in done:
                        written.put_nowait(clause)
                    complete = complete or bool(done)
            if pending.strip() and not (complete and tokens >= max_tokens):
                written.put_nowait(pending)
        finally:
            written.put_nowait(None)

    task = asyncio.create_task(write())
    try:
        while (clause := await written.get()) is not None:
            yield clause
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _spoken(runtime: Runtime, request: Respond, text: str) -> AsyncGenerator[Chunk, None]:
    """`text` in the first of the wanted voices that the synthesiser has."""
    *others, last = candidates(request.voice)
    for voice in (*others, last):
        speak = Speak(text=text, voice=voice, language=request.language, priority=request.priority)
        try:
            async with runtime.submit(speak) as job:
                async for event in job:
                    if isinstance(event, Chunk):
                        yield event
            return
        except UnknownVoice:
            if voice == last:
                raise
