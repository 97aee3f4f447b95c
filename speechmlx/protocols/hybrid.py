"""The WhisperLive hybrid server's HTTP side: forms to /transcribe, /transcribe/url, its /health and its test page.

/transcribe takes soniqo's raw and JSON bodies too: what is a multipart form comes here, the rest goes there. /health
speaks this dialect only at a port that was opened for it (--bind hybrid=HOST:PORT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.errors import BadAudio, BadRequest, SpeechError
from speechmlx.protocols.http import options
from speechmlx.protocols.http.conditional_route import When, at_port_of, is_form
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.request_body import Body, spool
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.protocols.http.static import shown
from speechmlx.protocols.http.uploads import confidence, decoded
from speechmlx.protocols.http.url_fetch import Fetches
from speechmlx.types import Kind, LanguageDetected, Segment, Transcribe

if TYPE_CHECKING:
    from speechmlx.types import Audio

EXTENSIONS = ("wav", "mp3", "flac", "m4a", "ogg", "webm", "mp4", "mpeg", "mpga")
"""Those that the hybrid takes on any of its paths."""
TASKS = ("transcribe", "translate")
SERVICE = "WhisperLive Hybrid Server"
OFF = (
    "fetching from addresses is off, so that nobody can use this server to reach others; "
    "start it with --allow-url-fetch, or send the recording itself to /transcribe"
)


def routes(config: Config) -> list[BaseRoute]:
    """The routes. They go before those of soniqo, whose paths some of them share."""
    limit = config.max_audio_bytes
    return [
        When("/transcribe", Endpoint(transcribe, problem, limit), ["POST"], is_form, "multipart form"),
        Route("/transcribe/url", Endpoint(transcribe_url, problem, config.max_text_bytes), methods=["POST"]),
        When("/health", health, ["GET"], at_port_of("hybrid"), "at the hybrid's port"),
        Route("/test_form.html", form_page, methods=["GET"]),
    ]


def problem(error: SpeechError) -> Response:
    """{"success": false, "error": "..."} with the status of the error's code."""
    return JSONResponse({"success": False, "error": str(error)}, status(error), headers(error))


async def transcribe(call: Call) -> Response:
    """Transcribe an uploaded file (multipart: file, language, task, model)"""
    return await _answer(call, call.body.options, call.body.filename)


async def transcribe_url(call: Call) -> Response:
    """Transcribe a recording at a public address (JSON or form: url, language, task, model)"""
    if not call.runtime.config.allow_url_fetch:
        return JSONResponse({"success": False, "error": OFF}, 501)
    url = options.text(call.body.options, "url")
    if url is None:
        raise BadRequest("missing 'url': where the recording is")
    file = spool(call.stack)
    fetches: Fetches = call.request.app.state.fetches
    await fetches.fetch(url, file, call.runtime.config.max_audio_bytes)
    body = Body(call.body.options, file)
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return await _answer(Call(call.request, call.runtime, body, call.stack), body.options, name)


async def health(request: Request) -> Response:
    """Health check, in the hybrid's words"""
    runtime = request.app.state.runtime
    now = runtime.status()
    told = {
        "status": "healthy" if now.engine in ("ok", "starting") else "degraded",
        "service": SERVICE,
        "backend": "mlx",
        "ready": now.engine == "ok",
        "postprocess_enabled": False,
        "model": runtime.model(None, Kind.ASR).name,
        "clients": now.jobs,
        "max_clients": runtime.config.max_jobs,
    }
    return JSONResponse(told)


async def form_page(request: Request) -> Response:
    """A form to try /transcribe in a browser"""
    return shown(request, "test_form.html")


async def _answer(call: Call, given: Mapping[str, Any], filename: str) -> Response:
    names: Names = call.request.app.state.names
    model, language = names.resolve(options.text(given, "model"), Kind.ASR)
    task = cast(Literal["transcribe", "translate"], options.choice(given, "task", TASKS))
    language = options.language(given) or language
    try:
        audio = await decoded(call, model.rate)
    except BadAudio as error:
        raise _by_name(filename, error) from error
    request = Transcribe(model=model.name, audio=audio, language=language, task=task)
    job = await call.stack.enter_async_context(call.runtime.submit(request))
    segments: list[Segment] = []
    detected = LanguageDetected(language or "", 0.0)
    async for event in job:
        if isinstance(event, Segment):
            segments.append(event)
        elif isinstance(event, LanguageDetected):
            detected = event
    return JSONResponse(_described(segments, detected, audio, request, filename))


def _by_name(filename: str, error: BadAudio) -> BadRequest:
    """The error for what is no audio: of a file that is not even called so, its name is what was wrong.

    What is audio is taken under any name: this refuses less than the hybrid, which goes by the name alone.
    """
    _, dot, extension = filename.rpartition(".")
    if not dot or extension.lower() in EXTENSIONS:
        return error
    return BadRequest(f"a .{extension:.20} file is not taken ({error}); allowed: {', '.join(EXTENSIONS)}")


def _described(
    segments: list[Segment], detected: LanguageDetected, audio: Audio, request: Transcribe, filename: str
) -> dict[str, Any]:
    """The hybrid's answer, and beside it the keys of soniqo's, which answers other bodies on the same path."""
    told = [
        {
            "start": round(segment.start, 2),
            "end": round(segment.end, 2),
            "text": segment.text.strip(),
            "no_speech_prob": round(segment.no_speech_prob, 4),
        }
        for segment in segments
    ]
    info = {
        "language": detected.language,
        "language_probability": round(detected.probability, 4),
        "duration": round(audio.duration, 2),
        "duration_after_vad": round(min(audio.duration, sum(one.end - one.start for one in segments)), 2),
        "transcription_options": {"task": request.task, "beam_size": request.beam_size},
    }
    return {
        "success": True,
        "segments": told,
        "info": info,
        "filename": filename,
        "text": "".join(segment.text for segment in segments).strip(),
        "language": detected.language,
        "confidence": round(confidence(segments), 4),
        "model": request.model,
        "duration": info["duration"],
    }
