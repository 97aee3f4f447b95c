"""POST /v1/audio/speech, with the fields that Xinference's client adds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from starlette.responses import Response

from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.errors import BadRequest, TooLarge
from speechmlx.models.spec import Model
from speechmlx.models.voice_store import reference
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.pronunciations import FIELD, read_pronunciations
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.openai_audio.speech_answers import SpeechAnswer
from speechmlx.spoken_captions import CAPTION_FORMATS
from speechmlx.types import Kind, ReferenceVoice, Speak

SPEED = (0.25, 4.0)
WHOLE = ("flac",)
"""Formats that are sent once they are complete, unless `stream` is true.

A FLAC header without the number of samples breaks readers, such as libsndfile's.
"""
BODIES: tuple[Literal["audio", "sse", "json"], ...] = ("audio", "sse", "json")
FIELDS: dict[str, str] = {"instruct": "instructions", "speaker": "voice", "reference_text": "prompt_text"}
"""Other names of fields."""
KNOWN = ("language", "voice", "speed", "prompt_text", FIELD)
"""Settings of `kwargs` that are fields of `Speak`, and the text of a recording to imitate.

All others go to the engine in `Speak.options`.

`instructions` is not one of them. OpenAI's SDK sends the field to every model, so an engine that cannot follow
instructions ignores it, as tts-1 does. In `kwargs` (`instruct`) it is meant for an engine that can; others refuse it.
"""


async def speech(context: RequestContext) -> Response:
    """Speak a text as OpenAI's API does (JSON: input, model, voice, response_format, speed, stream_format, ...)"""
    fields = {FIELDS.get(name, name): value for name, value in context.body.options.items()}
    extras = read_extras(fields)
    fields = {**{name: value for name, value in extras.items() if name in KNOWN}, **fields}
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.TTS)
    answer = read_answer(fields)
    request = Speak(
        model=model.name,
        text=read_input(fields, context.services.config.max_input_chars),
        voice=await _prompt(context, fields, model) or model.voices.resolve(read_voice(fields)),
        language=options.dialect(fields) or language,
        speed=options.number(fields, "speed", 1.0, *SPEED),
        instructions=options.text(fields, "instructions"),
        pronunciations=read_pronunciations(fields),
        options={
            **{name: value for name, value in extras.items() if name not in KNOWN},
            **await _latent(context),
        },
    )
    return await answer.respond(context, request, model.rate)


# --- Fields ------------------------------------------------------------------------------------------------------


def read_input(fields: Mapping[str, Any], limit: int) -> str:
    """The text to speak. Raises BadRequest where there is none, TooLarge over `limit` characters (0: no limit)."""
    text = (options.text(fields, "input") or "").strip()
    if not text:
        raise BadRequest("missing 'input': the text to speak")
    if limit and len(text) > limit:
        raise TooLarge(f"'input' has {len(text)} characters; the limit is {limit} (max_input_chars)")
    return text


def read_answer(fields: Mapping[str, Any]) -> SpeechAnswer:
    """What is answered. Raises BadRequest for words and captions without a body that has them."""
    format = options.choice(fields, "response_format", tuple(MEDIA_TYPES))
    body = options.choice(fields, "stream_format", BODIES)
    words = options.flag(fields, "timestamps", body == "json")
    captions = None
    if options.value(fields, "captions") is not None:
        captions = options.choice(fields, "captions", CAPTION_FORMATS)
    if body == "audio" and (words or captions):
        name = "timestamps" if words else "captions"
        raise BadRequest(f"{name!r} needs a body with more than sound: set 'stream_format' to sse or json")
    if body == "json" and not words:
        raise BadRequest("'timestamps' is false, but JSON always has the words: leave it out, or use another body")
    sent = options.text(fields, "input") or ""
    return SpeechAnswer(
        format=format,
        body=body,
        whole=not options.flag(fields, "stream", format not in WHOLE),
        words=words,
        captions=captions,
        blanks=len(sent) - len(sent.lstrip()),
    )


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


async def _prompt(context: RequestContext, fields: Mapping[str, Any], model: Model) -> ReferenceVoice | None:
    """Xinference's `prompt_speech`, which the model is to imitate, with its `prompt_text`; None where it is not there.

    Raises BadRequest for a text alone, and UnknownVoice where the model imitates none.
    """
    text, upload = options.text(fields, "prompt_text"), context.body.files.get("prompt_speech")
    if upload is None:
        if text is not None:
            raise BadRequest("'prompt_text' goes with a recording: send that as the file 'prompt_speech' of a form")
        return None
    audio = await context.services.decoding.decode(upload.file, model.rate, context.stack)
    return model.voices.imitation(reference(audio, text or ""), "'prompt_speech'")


async def _latent(context: RequestContext) -> dict[str, Any]:
    """Xinference's `prompt_latent` for the engine, as bytes."""
    latent = context.body.files.get("prompt_latent")
    return {"prompt_latent": await asyncio.to_thread(latent.file.read)} if latent else {}
