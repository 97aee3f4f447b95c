"""/v1/audio/voice_consents: recordings in which a person agrees that their voice is imitated, with OpenAI's fields."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.errors import BadRequest
from speechmlx.models.voice_store import StoredConsent
from speechmlx.protocols.http import options
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.openai_audio.voices import recording, required

TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
PAGE, MOST_PAGE = 20, 100
"""Consents of one answer."""


async def create_consent(context: RequestContext) -> Response:
    """Store the recording of a consent (form: name, language, recording)"""
    name = required(context, "name", "whose consent it is")
    language = required(context, "language", "a tag of what is said in it, such as en-US")
    if not TAG.fullmatch(language):
        raise BadRequest(f"'language' must be a tag such as en-US, not {language!r:.80}")
    audio = await recording(context, "recording")
    consent = await asyncio.to_thread(context.runtime.voices.add_consent, name, language, audio)
    return JSONResponse(as_consent(consent))


async def consents(context: RequestContext) -> Response:
    """Stored consents, the newest first (after, limit)"""
    fields = context.body.options
    limit = options.integer(fields, "limit", PAGE, 1, MOST_PAGE)
    found = list(reversed(await asyncio.to_thread(context.runtime.voices.consents)))
    if after := options.text(fields, "after"):
        places = [place for place, consent in enumerate(found) if consent.id == after]
        if not places:
            raise BadRequest(f"'after' is the id of a consent of the page before, not {after!r:.80}")
        found = found[places[0] + 1 :]
    page = [as_consent(consent) for consent in found[:limit]]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return JSONResponse({"object": "list", "data": page, **ends, "has_more": len(found) > limit})


async def consent(context: RequestContext) -> Response:
    """A stored consent"""
    return JSONResponse(as_consent(await asyncio.to_thread(context.runtime.voices.consent, _id(context))))


async def rename_consent(context: RequestContext) -> Response:
    """Give a stored consent another name (JSON: name)"""
    name = required(context, "name", "whose consent it is")
    return JSONResponse(as_consent(await asyncio.to_thread(context.runtime.voices.rename_consent, _id(context), name)))


async def delete_consent(context: RequestContext) -> Response:
    """Delete a stored consent with its recording, where no voice stands on it"""
    await asyncio.to_thread(context.runtime.voices.remove_consent, _id(context))
    return JSONResponse({"id": _id(context), "object": "audio.voice_consent", "deleted": True})


def as_consent(consent: StoredConsent) -> dict[str, Any]:
    """OpenAI's description of a consent."""
    return {
        "id": consent.id,
        "object": "audio.voice_consent",
        "created_at": consent.created_at,
        "language": consent.language,
        "name": consent.name,
    }


def _id(context: RequestContext) -> str:
    id: str = context.request.path_params["consent"]
    return id
