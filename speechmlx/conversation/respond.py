"""A spoken answer from three models: recognition → language model → synthesis, clause by clause.

It answers the same request with the same events as a speech-to-speech model would.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from speechmlx.conversation.llm.language_model import build_request
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.response import cascade
from speechmlx.conversation.settings import Answering, Voice
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import (
    Chunk,
    Event,
    Kind,
    LanguageDetected,
    Message,
    Respond,
    Segment,
    TextDelta,
    Transcribe,
    Usage,
)

STEP = 0.08
"""Seconds of answer per step of `max_steps`."""
TOKENS_PER_SECOND = 4.0
"""About what speech needs; more would be written and never said."""
MIN_TOKENS = 16


def model_names(runtime: Runtime) -> str:
    """The three models that answer."""
    config = runtime.config
    elsewhere = (config.llm_url_model or config.llm_url) if config.llm_url else None
    writes = elsewhere or runtime.model(None, Kind.LLM).name
    return "+".join((runtime.model(None, Kind.ASR).name, writes, runtime.model(None, Kind.TTS).name))


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
    async with aclosing(_answer(runtime, request, question)) as answered:
        async for event in answered:
            yield event


async def _answer(runtime: Runtime, request: Respond, question: str) -> AsyncGenerator[Event, None]:
    seconds = request.max_steps * STEP
    answering = Answering(
        instructions=request.instructions or "",
        voice=Voice(name=request.voice, required=True, language=request.language),
        max_tokens=max(MIN_TOKENS, math.ceil(seconds * TOKENS_PER_SECOND)),
    )
    asked = replace(build_request(answering, (Message("user", question),), None), priority=request.priority)
    write = remote_language_model(runtime.config) or runtime.submit
    said = 0.0
    async with aclosing(cascade.answer(runtime, write, asked, answering)) as pieces:
        async for piece in pieces:
            if isinstance(piece, cascade.Clause):
                yield TextDelta(piece.text)
            elif isinstance(piece, Chunk):
                left = round((seconds - said) * piece.rate)
                if left <= 0:
                    break
                kept = replace(piece, pcm16=piece.pcm16[: 2 * left])
                said += kept.duration
                yield kept
    if not said:
        raise EngineFailed("the language model gave no answer")
    yield Usage(audio_in=request.audio.duration, audio_out=said)
