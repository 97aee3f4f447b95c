"""POST /v1/audio/speech, with the fields that Xinference's client adds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.routing import Call
from speechmlx.protocols.http.streaming import Flow, server_sent
from speechmlx.protocols.http.synthesis import begun
from speechmlx.protocols.http.uploads import Decoding
from speechmlx.types import Chunk, Kind, Speak, Usage

SPEED = (0.25, 4.0)
OUT_TOKENS = 20
"""Tokens that OpenAI counts for a second of sound."""
FIELDS: dict[str, str] = {"instruct": "instructions", "speaker": "voice", "reference_text": "prompt_text"}
"""Other names of fields."""
KNOWN = ("language", "voice", "speed")
"""Settings that may come in `kwargs` and are fields of the request itself; the rest is handed to the engine.

`instructions` are not among them: as a field, which OpenAI's SDK sends to any model, an engine that cannot follow them
passes over them, as tts-1 does; in `kwargs` (`instruct`) they were meant for an engine that can, and others refuse.
"""


async def speech(call: Call) -> Response:
    """Speak a text as OpenAI's API does (JSON: input, model, voice, response_format, speed, stream_format)"""
    given = {FIELDS.get(name, name): value for name, value in call.body.options.items()}
    extras = read_extras(given)
    given = {**{name: value for name, value in extras.items() if name in KNOWN}, **given}
    names: Names = call.request.app.state.names
    model, language = names.resolve(options.text(given, "model"), Kind.TTS)
    format = options.choice(given, "response_format", tuple(MEDIA_TYPES))
    as_events = options.choice(given, "stream_format", ("audio", "sse")) == "sse"
    options.flag(given, "stream")  # Xinference's: sound is always sent as it is made
    request = Speak(
        model=model.name,
        text=read_input(given, call.runtime.config.max_input_chars),
        language=options.dialect(given) or language,
        speed=options.number(given, "speed", 1.0, *SPEED),
        instructions=options.text(given, "instructions"),
        options={
            **{name: value for name, value in extras.items() if name not in KNOWN},
            **await _prompts(call, model.rate),
        },
    )
    first, job = await begun(call, request, read_voice(given), model.rate)
    if as_events:
        return server_sent(await call.stack.enter_async_context(aclosing(_messages(first, job, format))))
    pieces = await call.stack.enter_async_context(aclosing(_encoded(first, job, format)))
    return Flow(pieces, MEDIA_TYPES[format])


# --- What is asked -----------------------------------------------------------------------------------------------


def read_input(given: Mapping[str, Any], limit: int) -> str:
    """The text. Raises BadRequest where there is none, TooLarge over `limit` characters (0: no limit)."""
    text = (options.text(given, "input") or "").strip()
    if not text:
        raise BadRequest("missing 'input': the text to speak")
    if limit and len(text) > limit:
        raise TooLarge(f"'input' has {len(text)} characters; the limit is {limit} (max_input_chars)")
    return text


def read_voice(given: Mapping[str, Any]) -> str | None:
    """A voice's name, also from {"id": name}; empty is the model's default."""
    voice = options.value(given, "voice")
    if isinstance(voice, dict):
        return options.text(voice, "id")
    return options.text(given, "voice")


def read_extras(given: Mapping[str, Any]) -> dict[str, Any]:
    """Xinference's `kwargs`, a JSON object or the text of one. Raises BadRequest."""
    value = options.value(given, "kwargs") or {}
    try:
        settings = read_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise BadRequest(f"'kwargs' must be a JSON object, not {value!r:.80}")
    settings = {key: settings[key] for key in settings if options.value(settings, key) is not None}
    return {key if key == "instruct" else FIELDS.get(key, key): setting for key, setting in settings.items()}


async def _prompts(call: Call, rate: int) -> dict[str, Any]:
    """Files to imitate: speech as Audio at the model's rate, anything else as its bytes."""
    found: dict[str, Any] = {}
    decoding: Decoding = call.request.app.state.decoding
    if speech := call.body.files.get("prompt_speech"):
        found["prompt_speech"] = await decoding.whole(speech.file, rate, call.stack)
    if latent := call.body.files.get("prompt_latent"):
        found["prompt_latent"] = await asyncio.to_thread(latent.file.read)
    return found


# --- The answer --------------------------------------------------------------------------------------------------


async def _encoded(
    first: Chunk, rest: AsyncIterator[Any], format: str, usage: list[Usage] | None = None
) -> AsyncGenerator[bytes, None]:
    """The sound in `format`, a piece per Chunk; a Usage among `rest` is added to `usage`."""

    def begin() -> Any:
        from speechmlx.audio.codecs import encoder

        made = encoder(format, first.rate)
        return made, made.push(first.pcm16)

    made, piece = await asyncio.to_thread(begin)
    yield piece
    async for event in rest:
        if isinstance(event, Chunk):
            yield await asyncio.to_thread(made.push, event.pcm16)
        elif isinstance(event, Usage) and usage is not None:
            usage.append(event)
    yield await asyncio.to_thread(made.finish)


async def _messages(first: Chunk, rest: AsyncIterator[Any], format: str) -> AsyncGenerator[dict[str, Any], None]:
    """speech.audio.delta for each piece, then speech.audio.done."""
    told: list[Usage] = []
    async with aclosing(_encoded(first, rest, format, told)) as pieces:
        async for piece in pieces:
            if piece:
                yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
    yield {"type": "speech.audio.done", "usage": counted(told[-1] if told else Usage())}


def counted(usage: Usage) -> dict[str, int]:
    """Tokens that the model read, and of the sound that it made."""
    said = usage.tokens_out or round(usage.audio_out * OUT_TOKENS)
    return {"input_tokens": usage.tokens_in, "output_tokens": said, "total_tokens": usage.tokens_in + said}
