"""whisper-asr-webservice's routes, POST /asr and /detect-language, which Bazarr uses.

The recording is the file `audio_file` of a form and the options are in the query. With encode=false the file is
headerless mono PCM16 at 16 kHz.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.errors import BadAudio, BadRequest, SpeechError
from speechmlx.languages import name
from speechmlx.models.spec import Model
from speechmlx.protocols.http import language_detection, options, speaker_form
from speechmlx.protocols.http.decoding import ALL, Span
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.transcription_form import TASKS, TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload, require_upload
from speechmlx.recognition import RecognitionResult, recognise_all
from speechmlx.speakers import SpeakerNames
from speechmlx.transcript_formats import as_segment, as_srt, as_tsv, as_vtt, as_word, labelled
from speechmlx.types import Audio, Kind, Segment, SpeakerOptions

ENGINE = "speechmlx"
"""Value of the header Asr-Engine."""
OUTPUTS = ("txt", "vtt", "srt", "tsv", "json")
PCM_RATE = 16000
MAX_SECONDS = 4 * 3600
"""Length of the longest recording."""
FILM_BYTES = MAX_SECONDS * PCM_RATE * 2 + 65536
"""The limit of a body where max_audio_bytes is not set: films come as PCM16 in a form."""


def routes(services: Services) -> list[BaseRoute]:
    """The routes. Their bodies are limited by the config."""
    limit = services.config.max_audio_bytes
    limit = FILM_BYTES if limit == Config.max_audio_bytes else limit
    posts = (("/asr", services.jobs.deferrable(asr, problem)), ("/detect-language", detect_language))
    return [Route(path, Endpoint(services, handler, problem, limit), methods=["POST"]) for path, handler in posts]


def problem(error: SpeechError) -> Response:
    """{"error": "...", "detail": "..."} with the status of the error's code."""
    return JSONResponse({"error": str(error), "detail": str(error)}, status(error), headers(error))


async def asr(context: RequestContext) -> Response:
    """Transcribe a recording as whisper-asr-webservice does (multipart audio_file; task, language, output, encode)"""
    fields = context.body.options
    output = options.choice(fields, "output", OUTPUTS)
    speakers = read_speakers(context, fields)
    words = options.flag(fields, "word_timestamps")
    model, language = _model(context)
    form = read_form(fields, language, words)
    audio = await _recording(context, model.rate)
    result = await recognise_all(context.runtime, form.request(model, audio), speakers)
    result.segments = [name_speakers(segment) for segment in result.segments]
    filename = next((file.name for file in context.body.files.values()), "") or "audio_file"
    return Response(
        json.dumps(as_json(result, words)) if output == "json" else TEXTS[output](result),
        media_type="text/plain",
        headers={
            "Asr-Engine": ENGINE,
            "Content-Disposition": f'attachment; filename="{quote(filename, safe="")}.{output}"',
        },
    )


async def detect_language(context: RequestContext) -> Response:
    """Language that is spoken in a recording (multipart audio_file; encode, detect_lang_offset, detect_lang_length)"""
    fields = context.body.options
    start = options.number(fields, "detect_lang_offset", 0.0, 0.0, MAX_SECONDS)
    length = options.number(fields, "detect_lang_length", 0.0, 0.0, MAX_SECONDS) or language_detection.SEARCHED
    model, _ = _model(context)
    audio = await _recording(context, model.rate, (start, start + length))
    if not len(audio.samples):
        raise BadRequest(f"the recording ends before 'detect_lang_offset', {start:g} seconds")
    detected = await language_detection.detect_language(context.runtime, model.name, audio)
    return JSONResponse(
        {
            "detected_language": name(detected.language),
            "language_code": detected.language,
            "confidence": round(detected.probability, 4),
        }
    )


# --- Fields ------------------------------------------------------------------------------------------------------


def read_form(fields: Mapping[str, Any], language: str | None, words: bool) -> TranscriptionForm:
    """The recognition settings. `language` is used where the client names none. Raises BadRequest."""
    return TranscriptionForm(
        language=options.language(fields) or language,
        task=options.choice(fields, "task", TASKS),
        prompt=options.text(fields, "initial_prompt"),
        words=words,
        vad=options.flag(fields, "vad_filter", True),
    )


def read_speakers(context: RequestContext, fields: Mapping[str, Any]) -> SpeakerOptions | None:
    """How speakers are told apart; None where the client does not ask. min_speakers is read and changes nothing.

    Raises BadRequest, and UnknownModel where there is no diarization model.
    """
    options.integer(fields, "min_speakers", 0, 0, speaker_form.MOST_SPEAKERS)
    most = speaker_form.read_most_speakers(fields)
    if not options.flag(fields, "diarize"):
        return None
    context.runtime.model(None, Kind.DIARIZE)
    return SpeakerOptions(max_speakers=most)


def name_speakers(segment: Segment) -> Segment:
    """The segment with speakers called SPEAKER_00, SPEAKER_01, ..."""
    named = SpeakerNames(numbered=True).apply(segment)
    assert isinstance(named, Segment)
    return named


def _model(context: RequestContext) -> tuple[Model, str | None]:
    """The model, and the language that it was launched with. Raises UnknownModel."""
    return context.services.names.resolve(options.text(context.body.options, "model"), Kind.ASR)


async def _recording(context: RequestContext, rate: int, span: Span = ALL) -> Audio:
    """The upload at `rate` Hz, or its `span`. A file with a header is read by it, whatever `encode` is."""
    require_upload(context, "missing 'audio_file': the recording, as a file of a multipart form")
    encoded = options.flag(context.body.options, "encode", True)
    try:
        return await decode_upload(context, rate, None if encoded else PCM_RATE, span)
    except BadAudio as error:
        raise BadAudio(f"{error}. Headerless PCM16 must have 16 kHz here and comes with encode=false") from error


# --- The answer --------------------------------------------------------------------------------------------------


def as_json(result: RecognitionResult, words: bool) -> dict[str, Any]:
    """{"text", "segments", "language"}. The language is the spoken one, also for a translation."""
    segments = [
        {**as_segment(number, segment), **({"words": [as_word(word) for word in segment.words]} if words else {})}
        for number, segment in enumerate(result.segments)
    ]
    text = "".join(segment.text for segment in result.segments)
    return {"text": text, "segments": segments, "language": result.spoken_language}


def as_lines(result: RecognitionResult) -> str:
    """Plain text: a line for each segment."""
    return "".join(f"{labelled(segment).strip()}\n" for segment in result.segments)


TEXTS = {"txt": as_lines, "vtt": as_vtt, "srt": as_srt, "tsv": as_tsv}
