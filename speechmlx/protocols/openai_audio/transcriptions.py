"""POST /v1/audio/transcriptions and /v1/audio/translations, with the fields that Xinference's client adds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.protocols.http import options, speaker_form
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.streaming import server_sent
from speechmlx.protocols.http.transcription_form import Task, TranscriptionForm
from speechmlx.protocols.http.uploads import decode_upload
from speechmlx.protocols.openai_audio import decoding_fields, formats
from speechmlx.recognition import RecognitionResult, find_speakers, recognise
from speechmlx.speakers import SpeakerNames
from speechmlx.transcript_formats import all_logprobs, as_json, as_rttm, as_verbose, languages
from speechmlx.types import Align, Event, Kind, Segment, SpeakerOptions, Transcribe

LISTS = (
    "timestamp_granularities",
    "include",
    "keywords",
    "languages",
    speaker_form.NAMES,
    speaker_form.REFERENCES,
)
"""Fields that a form may hold several times, with or without [] or [0], [1], ... after the name."""
EXTRAS = ("language", "prompt", "temperature", "keywords", "languages", *decoding_fields.FIELDS)
"""Fields that may come in `kwargs` too."""
GRANULARITIES = ("word", "segment")
INCLUDES = ("logprobs",)
STREAMED = ("json", "text", "verbose_json", "diarized_json")
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
    if (said := options.text(fields, "text")) is not None:
        return await _aligned(context, fields, said)
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.ASR)
    output = read_response_options(fields)
    if task == "translate" and _is_xinference(context.body):
        output = replace(output, as_json=True)
    form = read_form(fields, output)
    form = replace(form, task=task, language=form.language or language)
    speakers = await read_speakers(context, fields, output)
    request = form.request(model, await decode_upload(context, model.rate))
    if speakers is not None and output.format == "rttm":
        return await _rttm(context, request, speakers)
    recognised = await context.stack.enter_async_context(aclosing(recognise(context.runtime, request, speakers)))
    names = SpeakerNames(speakers.known if speakers else ())
    events = await context.stack.enter_async_context(aclosing(_named(recognised, names)))
    result = RecognitionResult(request.audio.duration, task)
    if not output.stream:
        async for event in events:
            result.add(event)
        return as_response(result, output)
    messages = stream_messages(await _first_segment(events, result), events, result, output)
    return server_sent(await context.stack.enter_async_context(aclosing(messages)))


async def _aligned(context: RequestContext, fields: Mapping[str, Any], said: str) -> Response:
    """The times of the words of a text that is known. Raises BadRequest for a stream: it comes at once."""
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.ALIGN)
    output = read_response_options(fields)
    if output.stream or output.format in formats.DIARIZED:
        raise BadRequest("'text' says what is said, and its words get times; it goes with no stream and no speakers")
    audio = await decode_upload(context, model.rate)
    request = Align(model=model.name, audio=audio, text=said, language=options.language(fields) or language)
    result = RecognitionResult(audio.duration)
    async for event in await context.stack.enter_async_context(context.runtime.submit(request)):
        result.add(event)
    return as_response(result, replace(output, granularities=output.granularities or GRANULARITIES))


async def _named(events: AsyncIterator[Event], names: SpeakerNames) -> AsyncGenerator[Event, None]:
    async for event in events:
        yield names.apply(event)


async def _rttm(context: RequestContext, request: Transcribe, speakers: SpeakerOptions) -> Response:
    """Who speaks when; nothing is transcribed for it."""
    names = SpeakerNames(speakers.known, numbered=True)
    turns = await find_speakers(context.runtime, request.audio, speakers, request.priority)
    named = (replace(turn, speaker=names.name(turn.speaker)) for turn in turns)
    return Response(as_rttm(named, Path(context.body.filename).stem), media_type=formats.TEXT)


def _is_xinference(body: Body) -> bool:
    """Whether Xinference's client sent the translation: the name and type of its file are the only mark."""
    file = body.files.get("file")
    return file is not None and (file.name, file.type) == ("file", "application/octet-stream")


# --- Fields ------------------------------------------------------------------------------------------------------


def read_response_options(fields: Mapping[str, Any]) -> ResponseOptions:
    """Raises BadRequest for unknown values."""
    format = options.choice(fields, "response_format", formats.FORMATS)
    stream = options.flag(fields, "stream")
    if stream and format not in STREAMED:
        raise BadRequest(f"stream=true goes with response_format {', '.join(STREAMED)}, not {format!r}")
    granularities = several(fields, "timestamp_granularities", GRANULARITIES)
    logprobs = "logprobs" in several(fields, "include", INCLUDES)
    return ResponseOptions(format, stream, granularities, logprobs, as_json="kwargs" in fields)


async def read_speakers(
    context: RequestContext, fields: Mapping[str, Any], output: ResponseOptions
) -> SpeakerOptions | None:
    """How speakers are told apart: where the client asks for it, names known ones, or the format needs it.

    Raises BadRequest, and UnknownModel where there is no diarization model.
    """
    names, references = several(fields, speaker_form.NAMES), speaker_form.separate(fields, speaker_form.REFERENCES)
    most = speaker_form.read_most_speakers(fields)
    asked = options.flag(fields, "diarize", output.format in formats.DIARIZED or bool(names or references))
    if not asked and output.format in formats.DIARIZED:
        raise BadRequest(
            f"response_format {output.format} needs to know the speakers; it does not go with diarize=false"
        )
    if not asked:
        return None
    rate = context.runtime.model(None, Kind.DIARIZE).rate
    known = await speaker_form.read_known_speakers(context, list(names), references, rate)
    return SpeakerOptions(known, most)


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
    if output.format == "diarized_json":
        return JSONResponse(formats.as_diarized(result))
    if output.format == "verbose_json":
        return JSONResponse(as_verbose(result, output.granularities))
    return JSONResponse(as_json(result, output.logprobs))


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
    done["languages"] = languages(result)
    if output.logprobs:
        done["logprobs"] = all_logprobs(result.segments)
    yield done


def _segment_messages(result: RecognitionResult, segment: Segment, output: ResponseOptions) -> Iterator[dict[str, Any]]:
    """Add a segment to `result`, and give its text, and the segment itself where the client asked for segments."""
    before = result.text
    number = len(result.segments)
    result.add(segment)
    delta: dict[str, Any] = {"type": "transcript.text.delta", "delta": result.text[len(before) :]}
    if output.logprobs:
        delta["logprobs"] = all_logprobs([segment])
    if output.format == "diarized_json":
        event = formats.as_diarized_segment(number + 1, segment)
        yield {**delta, "segment_id": event["id"]}
        yield event
        return
    if "segment" not in output.granularities and output.format != "verbose_json":
        yield delta
        return
    delta["segment_id"] = f"seg_{number}"
    yield delta
    yield {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        "speaker": segment.speaker or "",
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
    }
