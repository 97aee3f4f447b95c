"""POST /v1/audio/transcriptions and /v1/audio/translations, with the fields that Xinference's client adds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.streaming import server_sent
from speechmlx.protocols.http.transcription_form import Task, TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload
from speechmlx.protocols.openai_audio import decoding_fields, formats
from speechmlx.recognition import RecognitionResult, recognise, recognise_all
from speechmlx.types import Event, Kind, Segment, Transcribe

SPEAKERS = ("known_speaker_names", "known_speaker_references")
LISTS = ("timestamp_granularities", "include", "keywords", "languages", *SPEAKERS)
"""Fields that a form may hold several times, with or without [] or [0], [1], ... after the name."""
EXTRAS = ("language", "prompt", "temperature", "keywords", "languages", *decoding_fields.FIELDS)
"""Fields that may come in `kwargs` too."""
GRANULARITIES = ("word", "segment")
INCLUDES = ("logprobs",)
STREAMED = ("json", "text", "verbose_json")
CHUNKING = {"threshold": (0.0, 1.0), "prefix_padding_ms": (0.0, 60_000.0), "silence_duration_ms": (0.0, 60_000.0)}
"""Settings of chunking_strategy and their ranges."""


@dataclass(frozen=True)
class ResponseOptions:
    """How the client wants the transcript."""

    format: str
    stream: bool = False
    granularities: tuple[str, ...] = ()
    logprobs: bool = False
    as_json: bool = False
    """Every format is written as JSON, because the client parses every answer as JSON."""


async def transcriptions(context: RequestContext) -> Response:
    """Transcribe a recording as OpenAI's API does (multipart file; model, language, response_format, stream)"""
    return await _answer(context, "transcribe")


async def translations(context: RequestContext) -> Response:
    """Translate a recording into English as OpenAI's API does (multipart file; model, response_format)"""
    return await _answer(context, "translate")


async def _answer(context: RequestContext, task: Task) -> Response:
    fields = merge_fields(context.body)
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.ASR)
    output = read_response_options(fields)
    if task == "translate" and _is_xinference(context.body):
        output = replace(output, as_json=True)
    form = read_form(fields, output)
    form = replace(form, task=task, language=form.language or language)
    request = form.request(model, await decode_upload(context, model.rate))
    if not output.stream:
        return as_response(await recognise_all(context.runtime, request), output)
    events = await context.stack.enter_async_context(aclosing(recognise(context.runtime, request)))
    result = RecognitionResult(request.audio.duration, task)
    messages = stream_messages(await _first_segment(events, result), events, result, output)
    return server_sent(await context.stack.enter_async_context(aclosing(messages)))


def _is_xinference(body: Body) -> bool:
    """Whether Xinference's client sent the translation: the name and type of its file are the only mark."""
    file = body.files.get("file")
    return file is not None and (file.name, file.type) == ("file", "application/octet-stream")


# --- Fields ------------------------------------------------------------------------------------------------------


def read_response_options(fields: Mapping[str, Any]) -> ResponseOptions:
    """Raises BadRequest for unknown values, and Unsupported for diarization."""
    format = options.choice(fields, "response_format", formats.FORMATS)
    if format == "diarized_json" or any(several(fields, name) for name in SPEAKERS):
        raise Unsupported(
            "telling speakers apart (diarized_json, known_speaker_names) needs a diarization model, and none is "
            f"configured; response_format can be {', '.join(known for known in formats.FORMATS if 'dia' not in known)}"
        )
    stream = options.flag(fields, "stream")
    if stream and format not in STREAMED:
        raise BadRequest(f"stream=true goes with response_format {', '.join(STREAMED)}, not {format!r}")
    granularities = several(fields, "timestamp_granularities", GRANULARITIES)
    logprobs = "logprobs" in several(fields, "include", INCLUDES)
    return ResponseOptions(format, stream, granularities, logprobs, as_json="kwargs" in fields)


def read_form(fields: Mapping[str, Any], output: ResponseOptions) -> TranscriptionForm:
    """The recognition settings, without the task. Raises BadRequest."""
    temperature = options.number(fields, "temperature", 0.0, 0.0, 1.0)
    candidates = (options.language({"language": language}) for language in several(fields, "languages"))
    form = TranscriptionForm(
        language=options.language(fields),
        languages=tuple(candidate for candidate in candidates if candidate is not None),
        prompt=options.text(fields, "prompt"),
        hotwords=several(fields, "keywords"),
        words="word" in output.granularities,
        logprobs=output.logprobs,
        # with 0, the model tries higher temperatures where decoding fails a check
        temperatures=(temperature,) if temperature else Transcribe.temperatures,
    )
    _check_chunking(options.value(fields, "chunking_strategy"))
    return decoding_fields.read_decoding(fields, form)


def merge_fields(body: Body) -> dict[str, Any]:
    """The options with one name per field. A field of LISTS has all its values, and `name[key]` makes an object.

    The settings in `kwargs` count where the field itself was not sent. Raises BadRequest.
    """
    merged: dict[str, Any] = {}
    in_form = {name for name, _ in body.form}
    others = ((name, value) for name, value in body.options.items() if name not in in_form)
    for name, value in (*others, *body.form):
        base, _, key = name.partition("[")
        key = key.removesuffix("]")
        if base in LISTS:
            merged[base] = [*merged.get(base, ()), *(value if isinstance(value, list) else [value])]
        elif key:
            entry = merged.get(base)
            merged[base] = {**entry, key: value} if isinstance(entry, dict) else {key: value}
        else:
            merged[base] = value
    return {**_kwargs(options.value(merged, "kwargs")), **merged}


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


def several(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A list of strings. With `allowed`, each is one of these, in any case. Raises BadRequest."""
    values = options.several(fields, name)
    if not all(isinstance(value, str) for value in values):
        raise BadRequest(f"{name!r} must be a list of strings, not {fields[name]!r:.80}")
    if not allowed:
        return tuple(values)
    for word in values:
        if word.lower() not in allowed:
            raise BadRequest(f"{name!r} must be among {', '.join(allowed)}, not {word!r:.80}")
    return tuple(word.lower() for word in values)


def _check_chunking(strategy: Any) -> None:
    """Check `chunking_strategy`, which changes nothing: recordings are always cut at silences. Raises BadRequest."""
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


def as_response(result: RecognitionResult, output: ResponseOptions) -> Response:
    """The response in the client's format."""
    if output.format in formats.TEXTS:
        text = formats.TEXTS[output.format](result)
        return JSONResponse(text) if output.as_json else Response(text, media_type=formats.TEXT)
    if output.format == "verbose_json":
        return JSONResponse(formats.as_verbose(result, output.granularities))
    return JSONResponse(formats.as_json(result, output.logprobs))


async def _first_segment(events: AsyncIterator[Event], result: RecognitionResult) -> Segment | None:
    """Read `events` to the first Segment, so that an early failure has its own status. None without speech."""
    async for event in events:
        if isinstance(event, Segment):
            return event
        result.add(event)
    return None


async def stream_messages(
    first: Segment | None, events: AsyncIterator[Event], result: RecognitionResult, output: ResponseOptions
) -> AsyncGenerator[dict[str, Any], None]:
    """A transcript.text.delta for each segment, which join to the text, then transcript.text.done."""
    if first is not None:
        for message in _segment_messages(result, first, output):
            yield message
    async for event in events:
        if isinstance(event, Segment):
            for message in _segment_messages(result, event, output):
                yield message
        else:
            result.add(event)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": result.text, "usage": formats.tokens(result.usage)}
    done["languages"] = formats.languages(result)
    if output.logprobs:
        done["logprobs"] = formats.all_logprobs(result.segments)
    yield done


def _segment_messages(result: RecognitionResult, segment: Segment, output: ResponseOptions) -> Iterator[dict[str, Any]]:
    """Add a segment to `result`, and give its text, and the segment itself where the client asked for segments."""
    before = result.text
    number = len(result.segments)
    result.add(segment)
    delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": result.text[len(before) :]}
    if output.logprobs:
        delta["logprobs"] = formats.all_logprobs([segment])
    if "segment" not in output.granularities and output.format != "verbose_json":
        yield delta
        return
    delta["segment_id"] = f"seg_{number}"
    yield delta
    yield {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        "speaker": "",
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
    }
