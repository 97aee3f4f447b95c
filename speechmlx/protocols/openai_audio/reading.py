"""POST /v1/audio/speech/reading: how a text would be spoken, as words and phonemes with their places."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.responses import JSONResponse, Response

from speechmlx.protocols.http import options
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.pronunciations import read_pronunciations
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.openai_audio.speech import read_input, read_voice
from speechmlx.types import Kind, NamedVoice


@after_import("speechmlx.reading.preview")
async def reading(context: RequestContext) -> Response:
    """How a text would be spoken: its words with their places, and phonemes (JSON: input, voice, language, ...)"""
    from speechmlx.reading.preview import preview  # here: it reads dictionaries

    fields = context.body.options
    model, language = context.services.names.resolve(options.text(fields, "model"), Kind.TTS)
    text = read_input(fields, context.services.config.max_input_chars)
    voice = model.voices.resolve(read_voice(fields))
    own = model.voices.language(voice.name) if isinstance(voice, NamedVoice) else None
    entries = (*read_pronunciations(fields), *context.runtime.lexicon)
    found = await asyncio.to_thread(preview, text, options.dialect(fields) or language or own, entries)
    return JSONResponse(asdict(found))
