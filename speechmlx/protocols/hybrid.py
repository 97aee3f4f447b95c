"""The WhisperLive hybrid server's HTTP side: forms to /transcribe, /transcribe/url, its /health and its test page.

Multipart forms to /transcribe come here; raw and JSON bodies go to soniqo's route. /health answers in this format only
at a port that was opened for it (--bind hybrid=HOST:PORT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.errors import BadAudio, BadRequest, SpeechError
from speechmlx.protocols.http import options
from speechmlx.protocols.http.conditional_route import ConditionalRoute, at_port_of, is_form
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.request_body import Body, spool
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.static import page_response
from speechmlx.protocols.http.transcription_form import TASKS, TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload
from speechmlx.recognition import RecognitionResult, recognise_all
from speechmlx.types import Kind, LanguageDetected, Transcribe

EXTENSIONS = ("wav", "mp3", "flac", "m4a", "ogg", "webm", "mp4", "mpeg", "mpga")
"""Extensions of the file names that the hybrid server takes."""
SERVICE = "WhisperLive Hybrid Server"
OFF = (
    "fetching from addresses is off, so that nobody can use this server to reach others; "
    "start it with --allow-url-fetch, or send the recording itself to /transcribe"
)


def routes(services: Services) -> list[BaseRoute]:
    """The routes. They go before soniqo's, which share some of the paths."""
    audio, text = services.config.max_audio_bytes, services.config.max_text_bytes
    upload = Endpoint(services, services.jobs.deferrable(transcribe, problem), problem, audio)
    address = Endpoint(services, transcribe_url, problem, text)
    at_hybrid_port = at_port_of(services.ports, "hybrid")
    return [
        ConditionalRoute("/transcribe", upload, ["POST"], is_form, "multipart form"),
        Route("/transcribe/url", address, methods=["POST"]),
        ConditionalRoute("/health", partial(health, services), ["GET"], at_hybrid_port, "at the hybrid's port"),
        Route("/test_form.html", form_page, methods=["GET"]),
    ]


def problem(error: SpeechError) -> Response:
    """{"success": false, "error": "..."} with the status of the error's code."""
    return JSONResponse({"success": False, "error": str(error)}, status(error), headers(error))


async def transcribe(context: RequestContext) -> Response:
    """Transcribe an uploaded file (multipart: file, language, task, model)"""
    return await _answer(context, context.body.filename)


async def transcribe_url(context: RequestContext) -> Response:
    """Transcribe a recording at a public address (JSON or form: url, language, task, model)"""
    config = context.services.config
    if not config.allow_url_fetch:
        return JSONResponse({"success": False, "error": OFF}, 501)
    fields = context.body.options
    url = options.text(fields, "url")
    if url is None:
        raise BadRequest("missing 'url': where the recording is")
    file = spool(context.stack)
    await context.services.fetches.fetch(url, file, config.max_audio_bytes)
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return await _answer(replace(context, body=Body(fields, file)), name)


async def health(services: Services, request: Request) -> Response:
    """Health check, in the hybrid's words"""
    now = services.runtime.status()
    return JSONResponse(
        {
            "status": "healthy" if now.engine in ("ok", "starting", "idle") else "degraded",
            "service": SERVICE,
            "backend": "mlx",
            "ready": now.engine == "ok",
            "postprocess_enabled": services.postprocesses,
            "model": services.runtime.model(None, Kind.ASR).name,
            "clients": now.jobs,
            "max_clients": services.config.max_jobs,
        }
    )


async def form_page(request: Request) -> Response:
    """A form to try /transcribe in a browser"""
    return page_response(request, "test_form.html")


async def _answer(context: RequestContext, filename: str) -> Response:
    fields = context.body.options
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.ASR)
    form = read_form(fields, language)
    try:
        audio = await decode_upload(context, model.rate)
    except BadAudio as error:
        raise _bad_file(filename, error) from error
    request = form.request(model, audio)
    return JSONResponse(as_json(await recognise_all(context.runtime, request), request, filename))


def read_form(fields: Mapping[str, Any], language: str | None) -> TranscriptionForm:
    """The recognition settings. `language` is used where the client names none. Raises BadRequest."""
    task = options.choice(fields, "task", TASKS)
    return TranscriptionForm(task=task, language=options.language(fields) or language)


def _bad_file(filename: str, error: BadAudio) -> BadRequest:
    """The error for a file that is not audio. An extension that is not taken is named as the reason.

    Audio is taken under any name. The hybrid server itself goes by the name alone.
    """
    _, dot, extension = filename.rpartition(".")
    if not dot or extension.lower() in EXTENSIONS:
        return error
    return BadRequest(f"a .{extension:.20} file is not taken ({error}); allowed: {', '.join(EXTENSIONS)}")


def as_json(result: RecognitionResult, request: Transcribe, filename: str) -> dict[str, Any]:
    """The hybrid's answer, with the keys of soniqo's answer, which other bodies get on the same path."""
    segments = [
        {
            "start": round(segment.start, 2),
            "end": round(segment.end, 2),
            "text": segment.text.strip(),
            "no_speech_prob": round(segment.no_speech_prob, 4),
        }
        for segment in result.segments
    ]
    detected = result.language or LanguageDetected(request.language or "", 0.0)
    speech = sum(segment.end - segment.start for segment in result.segments)
    info = {
        "language": detected.language,
        "language_probability": round(detected.probability, 4),
        "duration": round(result.duration, 2),
        "duration_after_vad": round(min(result.duration, speech), 2),
        "transcription_options": {"task": request.task, "beam_size": request.beam_size},
    }
    return {
        "success": True,
        "segments": segments,
        "info": info,
        "filename": filename,
        "text": result.text,
        "language": detected.language,
        "confidence": round(result.confidence, 4),
        "model": request.model,
        "duration": info["duration"],
    }
