"""The routes of whisper.cpp's server: POST /inference and /load. Its /health is soniqo's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.errors import BadAudio, BadRequest, SpeechError, Unsupported
from speechmlx.languages import name
from speechmlx.protocols.http import language_detection, options
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.protocols.http.transcript_formats import Transcript, as_segment, as_srt, as_vtt, as_word, hear
from speechmlx.protocols.http.uploads import decoded
from speechmlx.types import Audio, Kind, Segment, Transcribe, Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
STEP = 0.2
"""From one temperature to the next."""
MANY = 1000
"""More beams than any model takes, which says so."""
LONGEST_MS = 4 * 3600 * 1000
MOST_LETTERS = 10_000
NO_LOAD = (
    "models are not swapped here, each request may use another: name it in the field 'model' of /inference, "
    "or start the server with --asr NAME; GET /v1/models lists the names"
)


def routes(config: Config) -> list[BaseRoute]:
    """The routes, their bodies limited by `config`."""
    return [
        Route("/inference", Endpoint(inference, problem, config.max_audio_bytes), methods=["POST"]),
        Route("/load", Endpoint(load, problem, config.max_text_bytes), methods=["POST"]),
    ]


def problem(error: SpeechError) -> Response:
    """{"error": "..."}; what is no audio is 400, upon which clients of whisper.cpp convert it and try again."""
    return JSONResponse({"error": str(error)}, 400 if isinstance(error, BadAudio) else status(error), headers(error))


async def load(call: Call) -> Response:
    """Refused: every request may name its model"""
    return JSONResponse({"error": NO_LOAD}, 501)


async def inference(call: Call) -> Response:
    """Transcribe a recording as whisper.cpp's server does (multipart file; language, translate, response_format)"""
    given = call.body.options
    names: Names = call.request.app.state.names
    model, language = names.resolve(options.text(given, "model"), Kind.ASR)
    wanted, settings = read_wanted(given), read_settings(given)
    settings["language"] = settings["language"] or language
    settings["words"] = wanted.words
    if call.body.upload is None:
        raise BadRequest("no 'file' field in the request: the recording, as a file of a multipart form")
    audio = await decoded(call, model.rate)
    clip = read_clip(given, audio.duration)
    if options.flag(given, "detect_language"):
        spoken = await language_detection.language(call, model.name, _beginning(audio, clip))
        return written(Transcript(audio.duration, settings["task"], spoken), wanted)
    heard = await hear(call, Transcribe(model=model.name, audio=audio, clips=(clip,) if clip else (), **settings))
    heard.segments = [piece for segment in heard.segments for piece in pieces(segment, wanted.most)]
    return written(heard, wanted)


# --- What is asked -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """How the client wants the transcript."""

    format: str = "json"
    timed: bool = True
    words: bool = False
    most: int = 0
    """Letters of a segment; 0: as many as there are."""
    probabilities: bool = True
    first: int = 1
    """Number of the first cue."""


def read_wanted(given: Mapping[str, Any]) -> Wanted:
    """Raises BadRequest."""
    format = options.choice(given, "response_format", FORMATS)
    timed = not options.flag(given, "no_timestamps")
    tokens = options.flag({"token_timestamps": timed, **given}, "token_timestamps")
    most = options.integer(given, "max_len", 0, 0, MOST_LETTERS)
    return Wanted(
        format,
        timed,
        words=most > 0 or (format == "verbose_json" and timed and tokens),
        most=most,
        probabilities=not options.flag(given, "no_language_probabilities"),
        first=1 + options.integer(given, "offset_n", 0, 0, MANY * MANY),
    )


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Transcribe` but the audio and its clip. Raises BadRequest."""
    for setting in ("diarize", "tinydiarize"):
        if options.flag(given, setting):
            raise Unsupported(f"telling speakers apart ({setting}) needs a diarization model, and none is configured")
    settings: dict[str, Any] = {
        "language": options.language(given),
        "task": "translate" if options.flag(given, "translate") else "transcribe",
        "prompt": options.text(given, "prompt"),
        "temperatures": read_temperatures(given),
        "beam_size": max(1, options.integer(given, "beam_size", 1, -1, MANY)),
    }
    if given.get("vad") is not None:
        settings["vad"] = options.flag(given, "vad")
    return settings


def read_temperatures(given: Mapping[str, Any]) -> tuple[float, ...]:
    """`temperature` and, `temperature_inc` apart, those up to 1 that are tried where the model is unsure."""
    first = options.number(given, "temperature", 0.0, 0.0, 1.0)
    step = options.number(given, "temperature_inc", STEP, 0.0, 1.0)
    if step < 0.01:
        return (first,)
    return tuple(round(first + step * number, 3) for number in range(int((1.0 - first) / step + 1e-6) + 1))


def read_clip(given: Mapping[str, Any], duration: float) -> tuple[float, float] | None:
    """Seconds to look at, of `offset_t` and `duration` in milliseconds; None: all."""
    start = options.integer(given, "offset_t", 0, 0, LONGEST_MS) / 1000
    length = options.integer(given, "duration", 0, 0, LONGEST_MS) / 1000
    if start >= duration:
        raise BadRequest(f"'offset_t' is {start:g} s, and the recording has {duration:.2f} s")
    return (start, min(duration, start + length) if length else duration) if start or length else None


def _beginning(audio: Audio, clip: tuple[float, float] | None) -> Audio:
    """What a language is told from."""
    start, end = clip or (0.0, audio.duration)
    end = min(end, start + language_detection.LOOKED_AT)
    return Audio(audio.samples[round(start * audio.rate) : round(end * audio.rate)], audio.rate)


# --- The answer --------------------------------------------------------------------------------------------------


def written(heard: Transcript, wanted: Wanted) -> Response:
    """The transcript in the format that was asked for."""
    if wanted.format == "verbose_json":
        return JSONResponse(as_verbose(heard, wanted))
    if wanted.format == "srt":
        return Response(as_srt(heard, wanted.first), media_type="application/x-subrip")
    if wanted.format == "vtt":
        return Response(as_vtt(heard), media_type="text/vtt")
    return JSONResponse({"text": as_text(heard)}) if wanted.format == "json" else PlainTextResponse(as_text(heard))


def pieces(segment: Segment, most: int) -> Iterator[Segment]:
    """The segment cut between words so that none is longer than `most` letters (0: whole) unless one word is."""
    if not most or not segment.words:
        yield segment
        return
    words: list[Word] = []
    for word in segment.words:
        if words and len(_text(words)) + len(word.text) > most:
            yield _piece(segment, words)
            words = []
        words.append(word)
    yield _piece(segment, words)


def _piece(segment: Segment, words: Sequence[Word]) -> Segment:
    return replace(segment, text=_text(words), start=words[0].start, end=words[-1].end, words=tuple(words), tokens=())


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def as_text(heard: Transcript) -> str:
    """A line for each segment, with the blank that it begins with: clients join the lines as they are."""
    return "".join(f"{segment.text}\n" for segment in heard.segments)


def as_verbose(heard: Transcript, wanted: Wanted) -> dict[str, Any]:
    """The transcript with its segments, words among them where they were timed, and the language that was spoken."""
    spoken = heard.language
    language, probability = name(spoken.language if spoken else None), round(spoken.probability, 4) if spoken else 0.0
    answer: dict[str, Any] = {
        "task": heard.task,
        "language": language,
        "duration": round(heard.duration, 3),
        "text": as_text(heard),
        "segments": [_segment(number, segment, wanted.timed) for number, segment in enumerate(heard.segments)],
    }
    if wanted.probabilities:
        answer["detected_language"] = language
        answer["detected_language_probability"] = probability
        answer["language_probabilities"] = {spoken.language: probability} if spoken else {}
    return answer


def _segment(number: int, segment: Segment, timed: bool) -> dict[str, Any]:
    told = as_segment(number, segment)
    keys = (
        "id",
        "text",
        *(("start", "end") if timed else ()),
        "tokens",
        "temperature",
        "avg_logprob",
        "no_speech_prob",
    )
    words = [as_word(word) for word in segment.words] if timed else []
    return {**{key: told[key] for key in keys}, **({"words": words} if words else {})}
