"""POST /v1/audio/speech, with the fields that Xinference's client adds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.pronunciations import FIELD, read_pronunciations
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.streaming import StreamedResponse, server_sent
from speechmlx.protocols.http.synthesis import encode_speech, start_speech, store_speech
from speechmlx.types import Chunk, Kind, Speak, Usage

if TYPE_CHECKING:
    from speechmlx.audio.codecs import StreamEncoder

SPEED = (0.25, 4.0)
WHOLE = ("flac",)
"""Formats that are sent once they are complete, unless `stream` is true.

A FLAC header without the number of samples breaks readers, such as libsndfile's.
"""
OUT_TOKENS = 20
"""Tokens that OpenAI counts for a second of audio."""
FIELDS: dict[str, str] = {"instruct": "instructions", "speaker": "voice", "reference_text": "prompt_text"}
"""Other names of fields."""
KNOWN = ("language", "voice", "speed", FIELD)
"""Settings of `kwargs` that are fields of `Speak`. All others go to the engine in `Speak.options`.

`instructions` is not one of them. OpenAI's SDK sends the field to every model, so an engine that cannot follow
instructions ignores it, as tts-1 does. In `kwargs` (`instruct`) it is meant for an engine that can; others refuse it.
"""


async def speech(context: RequestContext) -> Response:
    """Speak a text as OpenAI's API does (JSON: input, model, voice, response_format, speed, stream_format, ...)"""
    fields = {FIELDS.get(name, name): value for name, value in context.body.options.items()}
    extras = read_extras(fields)
    fields = {**{name: value for name, value in extras.items() if name in KNOWN}, **fields}
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.TTS)
    format = options.choice(fields, "response_format", tuple(MEDIA_TYPES))
    as_events = options.choice(fields, "stream_format", ("audio", "sse")) == "sse"
    whole = not options.flag(fields, "stream", format not in WHOLE)
    request = Speak(
        model=model.name,
        text=read_input(fields, context.services.config.max_input_chars),
        voice=model.voices.resolve(read_voice(fields)),
        language=options.dialect(fields) or language,
        speed=options.number(fields, "speed", 1.0, *SPEED),
        instructions=options.text(fields, "instructions"),
        pronunciations=read_pronunciations(fields),
        options={
            **{name: value for name, value in extras.items() if name not in KNOWN},
            **await _prompts(context, model.rate),
        },
    )
    first, job = await start_speech(context, request, model.rate)
    if as_events:
        return server_sent(await context.stack.enter_async_context(aclosing(_sse_messages(first, job, format))))
    if whole:
        return await store_speech(context, first, job, partial(_encoder, format), MEDIA_TYPES[format])
    pieces = await context.stack.enter_async_context(aclosing(encode_speech(first, job, partial(_encoder, format))))
    return StreamedResponse(pieces, MEDIA_TYPES[format])


# --- Fields ------------------------------------------------------------------------------------------------------


def read_input(fields: Mapping[str, Any], limit: int) -> str:
    """The text to speak. Raises BadRequest where there is none, TooLarge over `limit` characters (0: no limit)."""
    text = (options.text(fields, "input") or "").strip()
    if not text:
        raise BadRequest("missing 'input': the text to speak")
    if limit and len(text) > limit:
        raise TooLarge(f"'input' has {len(text)} characters; the limit is {limit} (max_input_chars)")
    return text


def read_voice(fields: Mapping[str, Any]) -> str | None:
    """The voice's name, also from {"id": name}. None: the model's default."""
    voice = options.value(fields, "voice")
    if isinstance(voice, dict):
        return options.text(voice, "id")
    return options.text(fields, "voice")


def read_extras(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Xinference's `kwargs`, a JSON object or its text, with the names of FIELDS. Raises BadRequest."""
    value = options.value(fields, "kwargs") or {}
    try:
        settings = read_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise BadRequest(f"'kwargs' must be a JSON object, not {value!r:.80}")
    settings = {key: settings[key] for key in settings if options.value(settings, key) is not None}
    return {key if key == "instruct" else FIELDS.get(key, key): setting for key, setting in settings.items()}


async def _prompts(context: RequestContext, rate: int) -> dict[str, Any]:
    """The files of a voice to imitate: speech as Audio at `rate` Hz, a latent as bytes."""
    prompts: dict[str, Any] = {}
    decoding = context.services.decoding
    if speech := context.body.files.get("prompt_speech"):
        prompts["prompt_speech"] = await decoding.decode(speech.file, rate, context.stack)
    if latent := context.body.files.get("prompt_latent"):
        prompts["prompt_latent"] = await asyncio.to_thread(latent.file.read)
    return prompts


# --- The answer --------------------------------------------------------------------------------------------------


def _encoder(format: str, rate: int) -> StreamEncoder:
    from speechmlx.audio.codecs import encoder  # here: the server starts without numpy

    return encoder(format, rate)


async def _sse_messages(first: Chunk, rest: AsyncIterator[Any], format: str) -> AsyncGenerator[dict[str, Any], None]:
    """A speech.audio.delta for each piece of encoded audio, then speech.audio.done."""
    usages: list[Usage] = []
    async with aclosing(encode_speech(first, rest, partial(_encoder, format), usages)) as pieces:
        async for piece in pieces:
            if piece:
                yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
    yield {"type": "speech.audio.done", "usage": as_tokens(usages[-1] if usages else Usage())}


def as_tokens(usage: Usage) -> dict[str, int]:
    """Tokens of the text that the model read and of the audio that it made."""
    output = usage.tokens_out or round(usage.audio_out * OUT_TOKENS)
    return {"input_tokens": usage.tokens_in, "output_tokens": output, "total_tokens": usage.tokens_in + output}
