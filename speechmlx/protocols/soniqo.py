"""soniqo's audio-server routes: POST /transcribe, /speak, /respond, /enhance, and GET /health."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx import __version__
from speechmlx.config import Config
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.http import options
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.protocols.http.synthesis import begun
from speechmlx.protocols.http.uploads import Decoding, blocks, confidence, decoded
from speechmlx.protocols.http.wav import WavResponse, WavStream, record, stream
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import (
    Enhance,
    Event,
    Kind,
    LanguageDetected,
    Respond,
    Segment,
    Speak,
    TextDelta,
    Transcribe,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

SPEED = (0.25, 4.0)
MAX_STEPS = 3000
SAMPLE_RATES = (1000, 768_000)
HEADER_LIMIT = 4096
"""Characters of X-Response-Text."""


def routes(config: Config) -> list[BaseRoute]:
    """The routes, their bodies limited by `config`."""
    posts = (
        ("/transcribe", transcribe, config.max_audio_bytes),
        ("/speak", speak, config.max_text_bytes),
        ("/respond", respond, config.max_audio_bytes),
        ("/enhance", enhance, config.max_audio_bytes),
    )
    return [
        *(Route(path, Endpoint(answer, problem, limit), methods=["POST"]) for path, answer, limit in posts),
        Route("/health", health),
    ]


def problem(error: SpeechError) -> Response:
    """{"error": "..."} with the status of the error's code."""
    return JSONResponse({"error": str(error)}, status(error), headers(error))


# --- POST --------------------------------------------------------------------------------------------------------


async def transcribe(call: Call) -> Response:
    """Speech-to-text (audio body, or JSON with audio_base64; model, language)"""
    given = call.body.options
    model = call.runtime.model(options.text(given, "model"), Kind.ASR)
    language = options.language(given)
    _upload(call)
    audio = await decoded(call, model.rate, _pcm_rate(call))
    job = await call.stack.enter_async_context(
        call.runtime.submit(Transcribe(model=model.name, audio=audio, language=language))
    )
    segments: list[Segment] = []
    async for event in job:
        if isinstance(event, Segment):
            segments.append(event)
        elif isinstance(event, LanguageDetected):
            language = event.language
    return JSONResponse(
        {
            "text": "".join(segment.text for segment in segments).strip(),
            "language": language,
            "confidence": round(confidence(segments), 4),
            "model": model.name,
            "duration": round(audio.duration, 2),
        }
    )


async def speak(call: Call) -> Response:
    """Text-to-speech (JSON: text, engine or model, voice, language, speed; stream)"""
    given = call.body.options
    model = call.runtime.model(options.text(given, "model") or options.text(given, "engine"), Kind.TTS)
    text = (options.text(given, "text") or "").strip()
    if not text:
        raise BadRequest("missing 'text': what to say")
    request = Speak(
        model=model.name,
        text=text,
        language=options.dialect(given),
        speed=options.number(given, "speed", 1.0, *SPEED),
    )
    streaming = options.flag(given, "stream")
    first, job = await begun(call, request, options.text(given, "voice"), model.rate)
    if streaming:
        return WavStream(first, job)
    return WavResponse(await record(job, first.rate, call.stack, first.pcm16))


async def respond(call: Call) -> Response:
    """Speech-to-speech (audio body; voice, max_steps, language, format=wav or json, stream)"""
    from speechmlx.conversation import respond as cascade  # here: the server starts without what a conversation needs

    given = call.body.options
    name = options.text(given, "model")
    voice, language = options.text(given, "voice"), options.dialect(given)
    max_steps = options.integer(given, "max_steps", Respond.max_steps, 1, MAX_STEPS)
    as_json = options.choice(given, "format", ("wav", "json")) == "json"
    streaming = options.flag(given, "stream")
    direct = name is not None or _has_s2s(call.runtime)
    model = call.runtime.model(name, Kind.S2S if direct else Kind.ASR)
    _upload(call)
    audio = await decoded(call, model.rate, _pcm_rate(call))
    request = Respond(
        model=model.name if direct else None, audio=audio, voice=voice, language=language, max_steps=max_steps
    )
    events: AsyncIterator[Event]
    if direct:
        events = await call.stack.enter_async_context(call.runtime.submit(request))
    else:
        events = await call.stack.enter_async_context(aclosing(cascade.respond(call.runtime, request)))
    rate = call.runtime.model(None, Kind.TTS).rate if not direct else model.rate
    if streaming and not as_json:
        return await stream(events, rate)
    told = Told(events)
    recording = await record(told, rate, call.stack)
    if not as_json:
        return WavResponse(recording, {"X-Response-Text": header_text(told.text)})
    encoded = await asyncio.to_thread(lambda: base64.b64encode(recording.wav()).decode())
    return JSONResponse(
        {
            "text": told.text,
            "transcript": told.text,
            "heard": told.heard,
            "duration": round(recording.duration, 2),
            "model": model.name if direct else cascade.model_names(call.runtime),
            "audio_base64": encoded,
        }
    )


async def enhance(call: Call) -> Response:
    """Speech enhancement (audio body; model, stream)"""
    given = call.body.options
    model = call.runtime.model(options.text(given, "model"), Kind.ENHANCE)
    streaming = options.flag(given, "stream")
    decoding: Decoding = call.request.app.state.decoding
    pieces = blocks(_upload(call), model.rate, _pcm_rate(call))
    first = await decoding.run(next, pieces, None)
    job = call.runtime.submit(Enhance(model=model.name)).fed_by(_decoded_blocks(first, pieces, decoding))
    await call.stack.enter_async_context(job)
    if streaming:
        return await stream(job, model.rate)
    return WavResponse(await record(job, model.rate, call.stack))


# --- GET ---------------------------------------------------------------------------------------------------------


async def health(request: Request) -> Response:
    """Health check"""
    now = request.app.state.runtime.status()
    # 200 also while the engine process is started again: a supervisor that restarts the server on anything else would
    # turn a second's recovery into a cold start. `status` tells the difference.
    held = [
        {
            "name": model.name,
            "kind": model.kind,
            "state": model.state,
            "pinned": model.pinned,
            "bytes": model.nbytes,
            **({"done": model.progress.done, "total": model.progress.total} if model.progress else {}),
        }
        for model in now.models
    ]
    return JSONResponse(
        {
            "status": "ok" if now.engine in ("ok", "starting") else "degraded",
            "engine": now.engine,
            "device": now.device,
            "jobs": now.jobs,
            "models": held,
            "version": __version__,
        }
    )


# --- Audio in ----------------------------------------------------------------------------------------------------


def _upload(call: Call) -> BinaryIO:
    if call.body.upload is None:
        raise BadRequest(
            "missing audio data: send it as the body, as 'audio_base64' in JSON, or as a file in a multipart form"
        )
    return call.body.upload


def _pcm_rate(call: Call) -> int | None:
    if "sample_rate" not in call.body.options:
        return None
    return options.integer(call.body.options, "sample_rate", 0, *SAMPLE_RATES)


async def _decoded_blocks(
    first: Samples | None, rest: Iterator[Samples], decoding: Decoding
) -> AsyncGenerator[Samples, None]:
    """`first` and the blocks of `rest`, each decoded on a thread when it is asked for. Ends at None."""
    block = first
    while block is not None:
        yield block
        block = await decoding.run(next, rest, None)


# --- Answers -----------------------------------------------------------------------------------------------------


class Told:
    """Passes events on and keeps what they say: the answer's `text`, and what was `heard` of the question."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self.text = ""
        self.heard = ""
        self._events = events

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await anext(self._events)
        if isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, Segment):
            self.heard += event.text
        return event


def header_text(text: str) -> str:
    """Percent-encoded UTF-8, cut at HEADER_LIMIT but never inside a character: a header is Latin-1 and short."""
    encoded = ""
    for character in text.strip():
        piece = quote(character, safe="")
        if len(encoded) + len(piece) > HEADER_LIMIT:
            break
        encoded += piece
    return encoded


def _has_s2s(runtime: Runtime) -> bool:
    return Kind.S2S in runtime.catalog.kinds(runtime.config)
