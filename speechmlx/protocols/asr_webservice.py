"""whisper-asr-webservice's routes, POST /asr and /detect-language, as Bazarr asks them.

The recording is the file `audio_file` of a form and the options are in the query. With encode=false the file is
headerless mono PCM16 at 16 kHz.
"""

from __future__ import annotations

import json
from typing import Any, Literal, cast
from urllib.parse import quote

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.errors import BadAudio, BadRequest, SpeechError, Unsupported
from speechmlx.languages import name
from speechmlx.models.spec import Model
from speechmlx.protocols.http import language_detection, options
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.protocols.http.transcript_formats import Transcript, as_segment, as_srt, as_vtt, as_word, hear
from speechmlx.protocols.http.uploads import ALL, Span, decoded
from speechmlx.types import Audio, Kind, Transcribe

ENGINE = "speechmlx"
"""Value of the header Asr-Engine."""
OUTPUTS = ("txt", "vtt", "srt", "tsv", "json")
TASKS = ("transcribe", "translate")
PCM_RATE = 16000
LONGEST = 4 * 3600
"""Seconds that a recording may have."""
FILM_BYTES = LONGEST * PCM_RATE * 2 + 65536
"""What max_audio_bytes is here until it is set: films come as PCM16, in a form."""


def routes(config: Config) -> list[BaseRoute]:
    """The routes, their bodies limited by `config`."""
    limit = FILM_BYTES if config.max_audio_bytes == Config.max_audio_bytes else config.max_audio_bytes
    posts = (("/asr", asr), ("/detect-language", detect_language))
    return [Route(path, Endpoint(answer, problem, limit), methods=["POST"]) for path, answer in posts]


def problem(error: SpeechError) -> Response:
    """{"error": "...", "detail": "..."} with the status of the error's code."""
    return JSONResponse({"error": str(error), "detail": str(error)}, status(error), headers(error))


async def asr(call: Call) -> Response:
    """Transcribe a recording as whisper-asr-webservice does (multipart audio_file; task, language, output, encode)"""
    given = call.body.options
    output = options.choice(given, "output", OUTPUTS)
    if options.flag(given, "diarize"):
        raise Unsupported("telling speakers apart (diarize) needs a diarization model, and none is configured")
    words = options.flag(given, "word_timestamps")
    model, language = _model(call)
    settings: dict[str, Any] = {
        "language": options.language(given) or language,
        "task": cast(Literal["transcribe", "translate"], options.choice(given, "task", TASKS)),
        "prompt": options.text(given, "initial_prompt"),
        "words": words,
    }
    if given.get("vad_filter") is not None:
        settings["vad"] = options.flag(given, "vad_filter")
    audio = await _recording(call, model.rate)
    heard = await hear(call, Transcribe(model=model.name, audio=audio, **settings))
    filename = next((file.name for file in call.body.files.values()), "") or "audio_file"
    return Response(
        json.dumps(as_json(heard, words)) if output == "json" else TEXTS[output](heard),
        media_type="text/plain",
        headers={
            "Asr-Engine": ENGINE,
            "Content-Disposition": f'attachment; filename="{quote(filename, safe="")}.{output}"',
        },
    )


async def detect_language(call: Call) -> Response:
    """Language that is spoken in a recording (multipart audio_file; encode, detect_lang_offset, detect_lang_length)"""
    given = call.body.options
    start = options.number(given, "detect_lang_offset", 0.0, 0.0, LONGEST)
    length = options.number(given, "detect_lang_length", 0.0, 0.0, LONGEST) or language_detection.LOOKED_AT
    model, _ = _model(call)
    audio = await _recording(call, model.rate, (start, start + length))
    if not len(audio.samples):
        raise BadRequest(f"the recording ends before 'detect_lang_offset', {start:g} seconds")
    spoken = await language_detection.language(call, model.name, audio)
    told = {"detected_language": name(spoken.language), "language_code": spoken.language}
    return JSONResponse({**told, "confidence": round(spoken.probability, 4)})


# --- What is asked -----------------------------------------------------------------------------------------------


def _model(call: Call) -> tuple[Model, str | None]:
    names: Names = call.request.app.state.names
    return names.resolve(options.text(call.body.options, "model"), Kind.ASR)


async def _recording(call: Call, rate: int, span: Span = ALL) -> Audio:
    """The upload at `rate` Hz, or its `span`; a file with a header is read by it, whatever `encode` says."""
    if call.body.upload is None:
        raise BadRequest("missing 'audio_file': the recording, as a file of a multipart form")
    encoded = options.flag({"encode": True, **call.body.options}, "encode")
    try:
        return await decoded(call, rate, None if encoded else PCM_RATE, span)
    except BadAudio as error:
        raise BadAudio(f"{error}. Headerless PCM16 must have 16 kHz here and comes with encode=false") from error


# --- The answer --------------------------------------------------------------------------------------------------


def as_json(heard: Transcript, words: bool) -> dict[str, Any]:
    """{"text", "segments", "language"}; the language is what was spoken, also of a translation."""
    segments = [
        {**as_segment(number, segment), **({"words": [as_word(word) for word in segment.words]} if words else {})}
        for number, segment in enumerate(heard.segments)
    ]
    language = heard.language.language if heard.language else None
    return {"text": "".join(segment.text for segment in heard.segments), "segments": segments, "language": language}


def as_lines(heard: Transcript) -> str:
    """A line for each segment."""
    return "".join(f"{segment.text.strip()}\n" for segment in heard.segments)


def as_tsv(heard: Transcript) -> str:
    """Start and end in milliseconds and the text, tabs between them, under a line that names them."""
    rows = (
        f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t{' '.join(segment.text.split())}\n"
        for segment in heard.segments
    )
    return "".join(["start\tend\ttext\n", *rows])


TEXTS = {"txt": as_lines, "vtt": as_vtt, "srt": as_srt, "tsv": as_tsv}
