"""The routes of whisper.cpp's server: POST /inference and /load. Its /health is soniqo's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.errors import BadAudio, BadRequest, SpeechError, Unsupported
from speechmlx.languages import name
from speechmlx.protocols.http import language_detection, options
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload, require_upload
from speechmlx.recognition import RecognitionResult, recognise_all
from speechmlx.transcript_formats import as_segment, as_srt, as_vtt, as_word
from speechmlx.types import Audio, Kind, Segment, SpeakerOptions, Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
STEP = 0.2
"""Step from one temperature to the next."""
MAX_BEAMS = 1000
"""More beams than any model takes; the model's own limit is checked later."""
MAX_OFFSET = 1_000_000
"""Largest offset of the numbers of subtitles."""
MAX_MILLISECONDS = 4 * 3600 * 1000
MAX_LETTERS = 10_000
NO_LOAD = (
    "models are not swapped here, each request may use another: name it in the field 'model' of /inference, "
    "or start the server with --asr NAME; GET /v1/models lists the names"
)


def routes(services: Services) -> list[BaseRoute]:
    """The routes. Their bodies are limited by the config."""
    audio, text = services.config.max_audio_bytes, services.config.max_text_bytes
    return [
        Route(
            "/inference",
            Endpoint(services, services.jobs.deferrable(inference, problem), problem, audio),
            methods=["POST"],
        ),
        Route("/load", Endpoint(services, load, problem, text), methods=["POST"]),
    ]


def problem(error: SpeechError) -> Response:
    """{"error": "..."}. Bad audio is 400, because clients of whisper.cpp then convert it and try again."""
    return JSONResponse({"error": str(error)}, 400 if isinstance(error, BadAudio) else status(error), headers(error))


async def load(context: RequestContext) -> Response:
    """Refused: every request may name its model"""
    return JSONResponse({"error": NO_LOAD}, 501)


async def inference(context: RequestContext) -> Response:
    """Transcribe a recording as whisper.cpp's server does (multipart file; language, translate, response_format)"""
    fields = context.body.options
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.ASR)
    output, form = read_output(fields), read_form(fields)
    form = replace(form, language=form.language or language, words=output.words)
    require_upload(context, "no 'file' field in the request: the recording, as a file of a multipart form")
    audio = await decode_upload(context, model.rate)
    clip = read_clip(fields, audio.duration)
    if options.flag(fields, "detect_language"):
        beginning = _beginning(audio, clip)
        detected = await language_detection.detect_language(context.runtime, model.name, beginning)
        return as_response(RecognitionResult(audio.duration, form.task, detected), output)
    form = replace(form, clips=(clip,) if clip else ())
    speakers = SpeakerOptions() if output.speakers else None
    if speakers is not None:
        context.runtime.model(None, Kind.DIARIZE)
    result = await recognise_all(context.runtime, form.request(model, audio), speakers, output.lenient)
    result.segments = [part for segment in result.segments for part in split_segment(segment, output.max_letters)]
    return as_response(result, output)


# --- Fields ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OutputOptions:
    """How the client wants the transcript written."""

    format: str = "json"
    timed: bool = True
    """Segments have times."""
    words: bool = False
    """Words are timed, to write them or to split segments."""
    lenient: bool = False
    """Nobody asked for them: verbose_json has them of itself, and a segment is one where nobody times them."""
    max_letters: int = 0
    """Longest segment, in characters; 0: no limit."""
    probabilities: bool = True
    """verbose_json has the probability of the language."""
    first: int = 1
    """Number of the first subtitle."""
    speakers: bool = False
    """Segments name their speaker."""


def read_output(fields: Mapping[str, Any]) -> OutputOptions:
    """The output options. Raises BadRequest."""
    format = options.choice(fields, "response_format", FORMATS)
    timed = not options.flag(fields, "no_timestamps")
    token_times = options.flag(fields, "token_timestamps", timed)
    max_letters = options.integer(fields, "max_len", 0, 0, MAX_LETTERS)
    with_words = format == "verbose_json" and timed and token_times
    return OutputOptions(
        format,
        timed,
        words=max_letters > 0 or with_words,
        lenient=max_letters == 0 and with_words and options.value(fields, "token_timestamps") is None,
        max_letters=max_letters,
        probabilities=not options.flag(fields, "no_language_probabilities"),
        first=1 + options.integer(fields, "offset_n", 0, 0, MAX_OFFSET),
        speakers=options.flag(fields, "diarize"),
    )


def read_form(fields: Mapping[str, Any]) -> TranscriptionForm:
    """The recognition settings, without clips. Raises BadRequest, and Unsupported for tinydiarize."""
    if options.flag(fields, "tinydiarize"):
        raise Unsupported("tinydiarize needs a Whisper model that marks speaker turns, and there is none; use diarize")
    return TranscriptionForm(
        language=options.language(fields),
        task="translate" if options.flag(fields, "translate") else "transcribe",
        prompt=options.text(fields, "prompt"),
        temperatures=read_temperatures(fields),
        beam_size=max(1, options.integer(fields, "beam_size", 1, -1, MAX_BEAMS)),
        vad=options.flag(fields, "vad", True),
    )


def read_temperatures(fields: Mapping[str, Any]) -> tuple[float, ...]:
    """`temperature`, and in steps of `temperature_inc` those up to 1 that are tried when decoding fails a check."""
    first = options.number(fields, "temperature", 0.0, 0.0, 1.0)
    step = options.number(fields, "temperature_inc", STEP, 0.0, 1.0)
    if step < 0.01:
        return (first,)
    return tuple(round(first + step * number, 3) for number in range(int((1.0 - first) / step + 1e-6) + 1))


def read_clip(fields: Mapping[str, Any], duration: float) -> tuple[float, float] | None:
    """(start, end) in seconds to transcribe, from `offset_t` and `duration` in milliseconds; None: all.

    Raises BadRequest for an offset past the end of the recording, whose length is `duration` seconds.
    """
    start = options.integer(fields, "offset_t", 0, 0, MAX_MILLISECONDS) / 1000
    length = options.integer(fields, "duration", 0, 0, MAX_MILLISECONDS) / 1000
    if start >= duration:
        raise BadRequest(f"'offset_t' is {start:g} s, and the recording has {duration:.2f} s")
    return (start, min(duration, start + length) if length else duration) if start or length else None


def _beginning(audio: Audio, clip: tuple[float, float] | None) -> Audio:
    """The part of the recording that is searched for its language."""
    start, end = clip or (0.0, audio.duration)
    end = min(end, start + language_detection.SEARCHED)
    return Audio(audio.samples[round(start * audio.rate) : round(end * audio.rate)], audio.rate)


# --- The answer --------------------------------------------------------------------------------------------------


def as_response(result: RecognitionResult, output: OutputOptions) -> Response:
    """The response in the client's format."""
    if output.format == "verbose_json":
        return JSONResponse(as_verbose(result, output))
    if output.format == "srt":
        return Response(as_srt(result, output.first), media_type="application/x-subrip")
    if output.format == "vtt":
        return Response(as_vtt(result), media_type="text/vtt")
    return JSONResponse({"text": as_text(result)}) if output.format == "json" else PlainTextResponse(as_text(result))


def split_segment(segment: Segment, max_letters: int) -> Iterator[Segment]:
    """Split a segment between words into parts of at most `max_letters` characters; 0 keeps it whole.

    A longer word is a part of its own.
    """
    if not max_letters or not segment.words:
        yield segment
        return
    words: list[Word] = []
    for word in segment.words:
        if words and len(_text(words)) + len(word.text) > max_letters:
            yield _part(segment, words)
            words = []
        words.append(word)
    yield _part(segment, words)


def _part(segment: Segment, words: Sequence[Word]) -> Segment:
    return replace(segment, text=_text(words), start=words[0].start, end=words[-1].end, words=tuple(words), tokens=())


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def as_text(result: RecognitionResult) -> str:
    """A line for each segment, with the space that it begins with, because clients join the lines as they are."""
    return "".join(f"{_marked(segment)}\n" for segment in result.segments)


def _marked(segment: Segment) -> str:
    return segment.text if segment.speaker is None else f"(speaker {segment.speaker}){segment.text}"


def as_verbose(result: RecognitionResult, output: OutputOptions) -> dict[str, Any]:
    """The transcript with its segments, their words where words are timed, and the spoken language."""
    detected = result.language
    language, probability = name(result.spoken_language), round(detected.probability, 4) if detected else 0.0
    answer: dict[str, Any] = {
        "task": result.task,
        "language": language,
        "duration": round(result.duration, 3),
        "text": as_text(result),
        "segments": [_segment(number, segment, output.timed) for number, segment in enumerate(result.segments)],
    }
    if output.probabilities:
        answer["detected_language"] = language
        answer["detected_language_probability"] = probability
        answer["language_probabilities"] = {detected.language: probability} if detected else {}
    return answer


def _segment(number: int, segment: Segment, timed: bool) -> dict[str, Any]:
    whole = as_segment(number, segment)
    keys = (
        "id",
        "text",
        *(("start", "end") if timed else ()),
        *(("speaker",) if "speaker" in whole else ()),
        "tokens",
        "temperature",
        "avg_logprob",
        "no_speech_prob",
    )
    words = [as_word(word) for word in segment.words] if timed else []
    return {**{key: whole[key] for key in keys}, **({"words": words} if words else {})}
