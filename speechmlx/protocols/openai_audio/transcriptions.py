"""POST /v1/audio/transcriptions and /v1/audio/translations, with the fields that Xinference's client adds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from starlette.responses import JSONResponse, Response

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.routing import Call
from speechmlx.protocols.http.streaming import server_sent
from speechmlx.protocols.http.transcript_formats import Transcript
from speechmlx.protocols.http.uploads import decoded
from speechmlx.protocols.openai_audio import decoding_fields, formats
from speechmlx.protocols.openai_audio.decoding_fields import read_decoding
from speechmlx.runtime.front.job import Job
from speechmlx.types import Kind, Segment, Transcribe

Task = Literal["transcribe", "translate"]

SPEAKERS = ("known_speaker_names", "known_speaker_references")
LISTS = ("timestamp_granularities", "include", "keywords", "languages", *SPEAKERS)
"""Fields that a form may hold several times, with [] or [0], [1], ... after the name or without."""
EXTRAS = ("language", "prompt", "temperature", "keywords", "languages", *decoding_fields.FIELDS)
"""Fields that may come in `kwargs` too."""
GRANULARITIES = ("word", "segment")
INCLUDES = ("logprobs",)
STREAMED = ("json", "text", "verbose_json")
CHUNKING = {"threshold": (0.0, 1.0), "prefix_padding_ms": (0.0, 60_000.0), "silence_duration_ms": (0.0, 60_000.0)}
"""Settings of chunking_strategy and their ranges."""


@dataclass(frozen=True)
class Wanted:
    """How the client wants the transcript."""

    format: str
    stream: bool = False
    granularities: tuple[str, ...] = ()
    logprobs: bool = False
    as_json: bool = False
    """Whatever the format: the client parses every answer as JSON."""


async def transcriptions(call: Call) -> Response:
    """Transcribe a recording as OpenAI's API does (multipart file; model, language, response_format, stream)"""
    return await _answer(call, "transcribe")


async def translations(call: Call) -> Response:
    """Translate a recording into English as OpenAI's API does (multipart file; model, response_format)"""
    return await _answer(call, "translate")


async def _answer(call: Call, task: Task) -> Response:
    given = merged(call.body)
    names: Names = call.request.app.state.names
    model, language = names.resolve(options.text(given, "model"), Kind.ASR)
    wanted = read_wanted(given)
    if task == "translate" and _is_xinference(call.body):
        wanted = replace(wanted, as_json=True)
    settings = read_settings(given, wanted)
    settings["language"] = settings["language"] or language
    audio = await decoded(call, model.rate)
    request = Transcribe(model=model.name, audio=audio, task=task, **settings)
    job = await call.stack.enter_async_context(call.runtime.submit(request))
    heard = Transcript(audio.duration, task)
    if wanted.stream:
        messages = streamed(job, await _first(job, heard), heard, wanted)
        return server_sent(await call.stack.enter_async_context(aclosing(messages)))
    async for event in job:
        heard.take(event)
    return whole(heard, wanted)


def _is_xinference(body: Body) -> bool:
    """Whether Xinference's client sent it: its translations bear no other mark, and it parses every answer as JSON."""
    file = body.files.get("file")
    return file is not None and (file.name, file.type) == ("file", "application/octet-stream")


# --- What is asked -----------------------------------------------------------------------------------------------


def read_wanted(given: Mapping[str, Any]) -> Wanted:
    """Raises BadRequest for values that are not known, Unsupported for what no model here can do."""
    format = options.choice(given, "response_format", formats.FORMATS)
    if format == "diarized_json" or any(several(given, name) for name in SPEAKERS):
        raise Unsupported(
            "telling speakers apart (diarized_json, known_speaker_names) needs a diarization model, and none is "
            f"configured; response_format can be {', '.join(known for known in formats.FORMATS if 'dia' not in known)}"
        )
    stream = options.flag(given, "stream")
    if stream and format not in STREAMED:
        raise BadRequest(f"stream=true goes with response_format {', '.join(STREAMED)}, not {format!r}")
    granularities = several(given, "timestamp_granularities", GRANULARITIES)
    logprobs = "logprobs" in several(given, "include", INCLUDES)
    return Wanted(format, stream, granularities, logprobs, as_json="kwargs" in given)


def read_settings(given: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Fields of `Transcribe` but the audio. Raises BadRequest."""
    temperature = options.number(given, "temperature", 0.0, 0.0, 1.0)
    candidates = (options.language({"language": language}) for language in several(given, "languages"))
    settings: dict[str, Any] = {
        "language": options.language(given),
        "languages": tuple(candidate for candidate in candidates if candidate is not None),
        "prompt": options.text(given, "prompt"),
        "hotwords": several(given, "keywords"),
        "words": "word" in wanted.granularities,
        "logprobs": wanted.logprobs,
    }
    if temperature:
        settings["temperatures"] = (temperature,)  # 0 lets the model try higher ones where it is unsure
    _check_chunking(options.value(given, "chunking_strategy"))
    return settings | read_decoding(given)


def merged(body: Body) -> dict[str, Any]:
    """Options with one name per field: of a list all values, `name[key]` as entries of an object, and `kwargs`."""
    found: dict[str, Any] = {}
    text = {name for name, _ in body.form}
    for name, value in (*((name, one) for name, one in body.options.items() if name not in text), *body.form):
        base, _, key = name.partition("[")
        key = key.removesuffix("]")
        if base in LISTS:
            found[base] = [*found.get(base, ()), *(value if isinstance(value, list) else [value])]
        elif key:
            entry = found.get(base)
            found[base] = {**entry, key: value} if isinstance(entry, dict) else {key: value}
        else:
            found[base] = value
    return {**_kwargs(options.value(found, "kwargs")), **found}


def _kwargs(text: Any) -> dict[str, Any]:
    """The settings that Xinference's client sends beside the fields. Raises BadRequest."""
    if text is None:
        return {}
    try:
        settings = read_json(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise BadRequest(f"'kwargs' must be a JSON object, not {text!r:.80}")
    settings = {name: settings[name] for name in settings if options.value(settings, name) is not None}
    unknown = sorted(set(settings) - set(EXTRAS))
    if unknown:
        raise Unsupported(f"recognition has no setting {', '.join(unknown)}; 'kwargs' may hold {', '.join(EXTRAS)}")
    return settings


def several(given: Mapping[str, Any], name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every value of a list of strings, in any case where only some are `allowed`. Raises BadRequest."""
    values = options.several(given, name)
    if not all(isinstance(one, str) for one in values):
        raise BadRequest(f"{name!r} must be a list of strings, not {given[name]!r:.80}")
    if not allowed:
        return tuple(values)
    for word in values:
        if word.lower() not in allowed:
            raise BadRequest(f"{name!r} must be among {', '.join(allowed)}, not {word!r:.80}")
    return tuple(word.lower() for word in values)


def _check_chunking(strategy: Any) -> None:
    """Cutting at silences is what is done anyway; the settings of it are checked, so that mistakes are seen."""
    if isinstance(strategy, str) and strategy.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            strategy = read_json(strategy)
    if strategy in (None, "auto", "server_vad"):
        return
    if not isinstance(strategy, dict):
        raise BadRequest(f"'chunking_strategy' must be \"auto\" or an object of type server_vad, not {strategy!r:.80}")
    options.choice(strategy, "type", ("server_vad", "auto"))
    for name, (low, high) in CHUNKING.items():
        options.number(strategy, name, low, low, high)


# --- The answer --------------------------------------------------------------------------------------------------


def whole(heard: Transcript, wanted: Wanted) -> Response:
    """The transcript in the format that was asked for."""
    if wanted.format in formats.TEXTS:
        text = formats.TEXTS[wanted.format](heard)
        return JSONResponse(text) if wanted.as_json else Response(text, media_type=formats.TEXT)
    if wanted.format == "verbose_json":
        return JSONResponse(formats.as_verbose(heard, wanted.granularities))
    return JSONResponse(formats.as_json(heard, wanted.logprobs))


async def _first(job: Job, heard: Transcript) -> Segment | None:
    """The first Segment, so that what fails before it has its own status; None when nothing was said."""
    async for event in job:
        if isinstance(event, Segment):
            return event
        heard.take(event)
    return None


async def streamed(
    job: Job, first: Segment | None, heard: Transcript, wanted: Wanted
) -> AsyncGenerator[dict[str, Any], None]:
    """A transcript.text.delta for each segment as it is heard (joined they are the text), then transcript.text.done."""
    if first is not None:
        for message in _news(heard, first, wanted):
            yield message
    async for event in job:
        if isinstance(event, Segment):
            for message in _news(heard, event, wanted):
                yield message
        else:
            heard.take(event)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": heard.text, "usage": formats.tokens(heard.usage)}
    done["languages"] = formats.languages(heard)
    if wanted.logprobs:
        done["logprobs"] = formats.all_logprobs(heard.segments)
    yield done


def _news(heard: Transcript, segment: Segment, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """What a segment adds to the stream: its text, and itself where segments were asked for."""
    before = heard.text
    number = len(heard.segments)
    heard.take(segment)
    delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": heard.text[len(before) :]}
    if wanted.logprobs:
        delta["logprobs"] = formats.all_logprobs([segment])
    if "segment" in wanted.granularities or wanted.format == "verbose_json":
        delta["segment_id"] = f"seg_{number}"
        yield delta
        told = {"type": "transcript.text.segment", "id": f"seg_{number}", "speaker": ""}
        yield {**told, "start": segment.start, "end": segment.end, "text": segment.text}
    else:
        yield delta
