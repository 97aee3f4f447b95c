"""soniqo's audio-server routes: POST /transcribe, /speak, /respond, /enhance, and GET /health."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx import __version__
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.http import options
from speechmlx.protocols.http.decoding import RecordingDecoder, decoded_blocks
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.pronunciations import read_pronunciations
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.synthesis import start_speech
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload, require_upload
from speechmlx.protocols.http.wav import Recording, WavResponse, WavStream, record_speech, stream_wav
from speechmlx.recognition import recognise_all
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.runtime.front.status import ModelStatus
from speechmlx.transcript_formats import heard_besides
from speechmlx.types import Audio, Enhance, Event, Kind, Respond, Segment, Speak, TextDelta

if TYPE_CHECKING:
    from speechmlx.types import Samples

SPEED = (0.25, 4.0)
MAX_STEPS = 3000
SAMPLE_RATES = (1000, 768_000)
HEADER_LIMIT = 4096
"""Characters of X-Response-Text."""
NO_AUDIO = "missing audio data: send it as the body, as 'audio_base64' in JSON, or as a file in a multipart form"


def routes(services: Services) -> list[BaseRoute]:
    """The routes. Their bodies are limited by the config."""
    config = services.config
    posts = (
        ("/transcribe", services.jobs.deferrable(transcribe, problem), config.max_audio_bytes),
        ("/speak", speak, config.max_text_bytes),
        ("/respond", respond, config.max_audio_bytes),
        ("/enhance", enhance, config.max_audio_bytes),
    )
    return [
        Route("/health", partial(health, services)),  # first: it is asked for most
        *(Route(path, Endpoint(services, handler, problem, limit), methods=["POST"]) for path, handler, limit in posts),
    ]


def problem(error: SpeechError) -> Response:
    """{"error": "..."} with the status of the error's code."""
    return JSONResponse({"error": str(error)}, status(error), headers(error))


# --- POST --------------------------------------------------------------------------------------------------------


async def transcribe(context: RequestContext) -> Response:
    """Speech-to-text (audio body, or JSON with audio_base64; model, language)"""
    fields = context.body.options
    model = context.runtime.model(options.text(fields, "model"), Kind.ASR)
    form = TranscriptionForm(language=options.language(fields))
    audio = await _audio(context, model.rate)
    result = await recognise_all(context.runtime, form.request(model, audio))
    return JSONResponse(
        {
            "text": result.text,
            "language": result.spoken_language or form.language,
            "confidence": round(result.confidence, 4),
            "model": model.name,
            "duration": round(audio.duration, 2),
            **heard_besides(result),
        }
    )


async def speak(context: RequestContext) -> Response:
    """Text-to-speech (JSON: text, engine or model, voice, language, speed, pronunciations; stream)"""
    fields = context.body.options
    model = context.runtime.model(options.text(fields, "model") or options.text(fields, "engine"), Kind.TTS)
    text = (options.text(fields, "text") or "").strip()
    if not text:
        raise BadRequest("missing 'text': what to say")
    request = Speak(
        model=model.name,
        text=text,
        voice=model.voices.resolve(options.text(fields, "voice")),
        language=options.dialect(fields),
        speed=options.number(fields, "speed", 1.0, *SPEED),
        pronunciations=read_pronunciations(fields),
    )
    streaming = options.flag(fields, "stream")
    first, job = await start_speech(context, request, model.rate)
    if streaming:
        return WavStream(first, job)
    return WavResponse(await record_speech(job, first.rate, context.stack, first.pcm16))


@after_import("speechmlx.conversation.respond")
async def respond(context: RequestContext) -> Response:
    """Speech-to-speech (audio body; voice, max_steps, language, format=wav or json, stream)"""
    from speechmlx.conversation import respond as cascade  # here: the server starts without what a conversation needs

    fields = context.body.options
    name = options.text(fields, "model")
    language = options.dialect(fields)
    max_steps = options.integer(fields, "max_steps", Respond.max_steps, 1, MAX_STEPS)
    as_json = options.choice(fields, "format", ("wav", "json")) == "json"
    streaming = options.flag(fields, "stream")
    direct = name is not None or _has_s2s(context.runtime)
    model = context.runtime.model(name, Kind.S2S if direct else Kind.ASR)
    speaker = model if direct else context.runtime.model(None, Kind.TTS)
    voice = speaker.voices.resolve(options.text(fields, "voice"))
    audio = await _audio(context, model.rate)
    request = Respond(
        model=model.name if direct else None, audio=audio, voice=voice, language=language, max_steps=max_steps
    )
    events: AsyncIterator[Event]
    if direct:
        events = await context.stack.enter_async_context(context.runtime.submit(request))
    else:
        events = await context.stack.enter_async_context(aclosing(cascade.respond(context.runtime, request)))
    if streaming and not as_json:
        return await stream_wav(events, speaker.rate)
    texts = TextCollector(events)
    recording = await record_speech(texts, speaker.rate, context.stack)
    if not as_json:
        return WavResponse(recording, {"X-Response-Text": header_text(texts.answer)})
    return await _as_json(texts, recording, model.name if direct else cascade.model_names(context.runtime))


async def enhance(context: RequestContext) -> Response:
    """Speech enhancement (audio body; model, stream)"""
    fields = context.body.options
    model = context.runtime.model(options.text(fields, "model"), Kind.ENHANCE)
    streaming = options.flag(fields, "stream")
    decoding = context.services.decoding
    blocks = decoded_blocks(_upload(context), model.rate, _pcm_rate(context))
    first = await decoding.run(next, blocks, None)
    job = context.runtime.submit(Enhance(model=model.name)).fed_by(_on_threads(first, blocks, decoding))
    await context.stack.enter_async_context(job)
    if streaming:
        return await stream_wav(job, model.rate)
    return WavResponse(await record_speech(job, model.rate, context.stack))


# --- GET ---------------------------------------------------------------------------------------------------------


async def health(services: Services, request: Request) -> Response:
    """Health check"""
    now = services.runtime.status()
    # 200 also while the engine process starts again: a supervisor that restarts the server on any other status would
    # turn a recovery of a second into a cold start. `status` tells the difference.
    return JSONResponse(
        {
            "status": "ok" if now.engine in ("ok", "starting", "idle") else "degraded",
            "engine": now.engine,
            "device": now.device,
            "engine_restarts": services.runtime.metrics.engine_restarts,
            "engine_hangs": services.runtime.metrics.engine_hangs,
            "jobs": now.jobs,
            "models": [_loaded(model) for model in now.models],
            "absent": {row.name: row.absent for row in services.runtime.catalog.missing},
            "model_memory_bytes": now.model_memory,
            "postprocess_enabled": services.postprocesses,
            "version": __version__,
        }
    )


def _loaded(model: ModelStatus) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "state": model.state,
        "pinned": model.pinned,
        "bytes": model.nbytes,
        **({"done": model.progress.done, "total": model.progress.total} if model.progress else {}),
    }


# --- Audio in ----------------------------------------------------------------------------------------------------


def _upload(context: RequestContext) -> BinaryIO:
    return require_upload(context, NO_AUDIO)


async def _audio(context: RequestContext, rate: int) -> Audio:
    _upload(context)
    return await decode_upload(context, rate, _pcm_rate(context))


def _pcm_rate(context: RequestContext) -> int | None:
    if "sample_rate" not in context.body.options:
        return None
    return options.integer(context.body.options, "sample_rate", 0, *SAMPLE_RATES)


async def _on_threads(
    first: Samples | None, rest: Iterator[Samples], decoding: RecordingDecoder
) -> AsyncGenerator[Samples, None]:
    """`first` and the blocks of `rest`, each decoded on a thread when it is read. None ends them."""
    block = first
    while block is not None:
        yield block
        block = await decoding.run(next, rest, None)


# --- Answers -----------------------------------------------------------------------------------------------------


class TextCollector:
    """Passes events on, and collects the text of the `answer` and of the `question`."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self.answer = ""
        self.question = ""
        self._events = events

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await anext(self._events)
        if isinstance(event, TextDelta):
            self.answer += event.text
        elif isinstance(event, Segment):
            self.question += event.text
        return event


async def _as_json(texts: TextCollector, recording: Recording, model: str) -> Response:
    encoded = await asyncio.to_thread(lambda: base64.b64encode(recording.wav()).decode())
    return JSONResponse(
        {
            "text": texts.answer,
            "transcript": texts.answer,
            "heard": texts.question,
            "duration": round(recording.duration, 2),
            "model": model,
            "audio_base64": encoded,
        }
    )


def header_text(text: str) -> str:
    """`text` for a header: percent-encoded UTF-8, cut between characters at HEADER_LIMIT."""
    encoded = ""
    for character in text.strip():
        piece = quote(character, safe="", errors="replace")
        if len(encoded) + len(piece) > HEADER_LIMIT:
            break
        encoded += piece
    return encoded


def _has_s2s(runtime: Runtime) -> bool:
    return Kind.S2S in runtime.catalog.kinds(runtime.config)
