"""/v1/audio/voices: the voices of a model, and recordings that clients store so that models imitate them.

POST and DELETE have OpenAI's fields; the text of the recording is ours. A listing has the model's own voices too.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import BadRequest
from speechmlx.models import store
from speechmlx.models.kept_recordings import RATE
from speechmlx.models.spec import Model
from speechmlx.models.voice_store import MOST, StoredVoice, check_free
from speechmlx.models.voices import voices_in
from speechmlx.protocols.http import options
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.types import Audio, Kind

MOST_BYTES = 11 * 1024 * 1024
"""Largest upload: OpenAI's 10 MiB, and the rest of the form."""
SAMPLE = "audio_sample"
CONSENT = "the id of a recording of it (POST /v1/audio/voice_consents), or a sentence that says who agreed"
"""What a consent is."""
TEXT = ("text", "ref_text", "reference_text", "prompt_text", "transcript")
"""Names of the field with the words of the recording; the first that is there counts."""


async def voices(context: RequestContext) -> Response:
    """Voices that a model speaks with"""
    row, _ = context.services.names.resolve(options.text(context.body.options, "model"), Kind.TTS)
    listed, stored = await asyncio.to_thread(_listed, context, row)
    return JSONResponse({"object": "list", "model": row.name, "voices": listed, "stored": stored})


async def create_voice(context: RequestContext) -> Response:
    """Store a voice: a recording that models imitate (form: name, audio_sample, consent; text)"""
    fields = context.body.options
    if (kind := options.text(fields, "type") or SAMPLE) != SAMPLE:
        raise BadRequest(f"'type' must be {SAMPLE}, not {kind!r:.80}: a voice is stored from a recording")
    name = required(context, "name", "what the voice is called")
    consent = required(context, "consent", CONSENT)
    text = next((text for field in TEXT if (text := options.text(fields, field))), "")
    voices = context.runtime.voices
    check_free(name, context.runtime.catalog)
    await asyncio.to_thread(voices.check_name, name)
    audio = await recording(context, SAMPLE)
    return JSONResponse(as_stored(await asyncio.to_thread(voices.add, name, audio, text.strip(), consent)))


async def stored_voice(context: RequestContext) -> Response:
    """A stored voice, by its name or id"""
    name = context.request.path_params["voice"]
    return JSONResponse(as_stored(await asyncio.to_thread(context.runtime.voices.voice, name)))


async def delete_voice(context: RequestContext) -> Response:
    """Delete a stored voice, by its name or id, with its recording"""
    id = await asyncio.to_thread(context.runtime.voices.remove, context.request.path_params["voice"])
    return JSONResponse({"id": id, "object": "audio.voice.deleted", "deleted": True})


def required(context: RequestContext, field: str, what: str) -> str:
    """A field that must be there. Raises BadRequest."""
    value = (options.text(context.body.options, field) or "").strip()
    if not value:
        raise BadRequest(f"missing {field!r}: {what}")
    return value


async def recording(context: RequestContext, field: str) -> Audio:
    """The file `field` of the form, or its only recording, as it is kept. Raises BadRequest and BadAudio."""
    upload = context.body.files.get(field)
    file = upload.file if upload is not None else context.body.upload
    if file is None:
        raise BadRequest(f"missing {field!r}: the recording, as a file of a multipart form")
    return await context.services.decoding.decode(file, RATE, context.stack, span=(0.0, MOST + 1))


def as_stored(voice: StoredVoice) -> dict[str, Any]:
    """OpenAI's description of a voice, and its seconds. Neither its text nor its consent: names are for everybody."""
    return {
        "id": voice.id,
        "object": "audio.voice",
        "created_at": voice.created_at,
        "name": voice.name,
        "type": SAMPLE,
        "duration": voice.seconds,
    }


def _listed(context: RequestContext, row: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the model speaks with, and all that is stored."""
    own = row.voices.names
    if not own:
        folder = store.folder(row, store.cache_folder(context.services.config))
        own = voices_in(folder) if folder is not None else ()
    stored = [as_stored(voice) for voice in context.runtime.voices.voices()]
    listed = [_as_voice(name, name, row) for name in own]
    listed += [{**_as_voice(name, voice, row), "same_as": voice} for name, voice in row.voices.aliases.items()]
    listed += [{**_as_voice(name, voice, row), "same_as": voice} for name, voice in row.voices.meant.items()]
    if row.voices.imitates:
        listed += [{**_as_voice(voice["id"], voice["id"], row), **voice} for voice in stored]
    return listed, stored


def _as_voice(id: str, voice: str, row: Model) -> dict[str, Any]:
    """The `voice` of a model under the name `id`: what it speaks, and whether what that needs is installed."""
    language = row.voices.language(voice)
    usable = language is None or row.voices.can_speak(language)
    return {"id": id, "name": id, "model": row.name, "language": language, "usable": usable}
