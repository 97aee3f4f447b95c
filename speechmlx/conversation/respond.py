"""A spoken answer to a spoken question from three models: recognition → language model → synthesis.

It answers the same request with the same events as a speech-to-speech model would.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.llm.language_model import build_request
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.response import cascade
from speechmlx.conversation.response.answer import ClauseGrown, ClauseStarted
from speechmlx.conversation.response.preemptive import AnswerRequest
from speechmlx.conversation.settings import Answering
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
    Speak,
    TextDelta,
    Transcribe,
    Usage,
)

STEP = 0.08
"""Seconds of answer per step of `max_steps`."""
TOKENS_PER_SECOND = 4.0
"""Tokens of text per second of speech, about. More would be written and never spoken."""
MIN_TOKENS = 16


def model_names(runtime: Runtime) -> str:
    """The three models that answer, joined by "+"."""
    config = runtime.config
    elsewhere = (config.llm_url_model or config.llm_url) if config.llm_url else None
    writes = elsewhere or runtime.model(None, Kind.LLM).name
    return "+".join((runtime.model(None, Kind.ASR).name, writes, runtime.model(None, Kind.TTS).name))


async def respond(runtime: Runtime, request: Respond) -> AsyncGenerator[Event, None]:
    """The words of the question (LanguageDetected, Segment*), then per clause of the answer a TextDelta and its Chunk*;
    at the end a Usage. The first clause is spoken while the next is written.

    Close it (`contextlib.aclosing`) and every job under way is cancelled. Raises BadRequest where the audio has no
    speech.
    """
    texts: list[str] = []
    transcribe = Transcribe(audio=request.audio, language=request.language, priority=request.priority)
    async with runtime.submit(transcribe) as job:
        async for event in job:
            if isinstance(event, Segment):
                texts.append(event.text)
            if isinstance(event, Segment | LanguageDetected):
                yield event
    question = "".join(texts).strip()
    if not question:
        raise BadRequest("no speech was heard in the audio")
    async with aclosing(_answer(runtime, request, question)) as events:
        async for event in events:
            yield event


async def _answer(runtime: Runtime, request: Respond, question: str) -> AsyncGenerator[Event, None]:
    seconds = request.max_steps * STEP
    answering = Answering(
        instructions=request.instructions or "",
        max_tokens=max(MIN_TOKENS, math.ceil(seconds * TOKENS_PER_SECOND)),
    )
    text = replace(build_request(answering, (Message("user", question),), None), priority=request.priority)
    speech = Speak(text="", voice=request.voice, language=request.language, priority=request.priority)
    generate = remote_language_model(runtime.config) or runtime.submit
    spoken = 0.0
    answer = cascade.answer(runtime, generate, AnswerRequest(text, speech), Clock(lambda: 0.0))
    async with aclosing(answer) as pieces:
        async for piece in pieces:
            if isinstance(piece, ClauseStarted | ClauseGrown):
                yield TextDelta(piece.text)
            elif isinstance(piece, Chunk):
                left = round((seconds - spoken) * piece.rate)
                if left <= 0:
                    break
                kept = replace(piece, pcm16=piece.pcm16[: 2 * left])
                spoken += kept.duration
                yield kept
    if not spoken:
        raise EngineFailed("the language model gave no answer")
    yield Usage(audio_in=request.audio.duration, audio_out=spoken)
