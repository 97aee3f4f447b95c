"""POST /v1/speak: a text is spoken, and its sound is sent while it is made."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import BinaryIO

from starlette.responses import Response

from speechmlx.errors import BadRequest, TooLarge, Unsupported
from speechmlx.protocols.deepgram.results import model_uuid
from speechmlx.protocols.deepgram.speech_format import speech_format
from speechmlx.protocols.deepgram.speech_request import speaker
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.request_id import request_id
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.streaming import StoredResponse, StreamedResponse
from speechmlx.protocols.http.synthesis import encode_speech, start_speech, store_speech

NO_TEXT = 'the body must be JSON with the text to speak: {"text": "Hello."}'


async def speak(context: RequestContext) -> Response:
    """Speak a text as Deepgram's API does (JSON: text; query: model, encoding, container, sample_rate, bit_rate)"""
    query = dict(context.request.query_params)
    if query.get("callback"):
        raise Unsupported("'callback' is not available for /v1/speak: leave it out, and the answer is the sound")
    format, voice = speech_format(query), speaker(query, context.services.names)
    kind = context.request.headers.get("content-type", "").lower()
    text = await asyncio.to_thread(read_text, context.body.upload, kind)
    if (limit := context.services.config.max_input_chars) and len(text) > limit:
        raise TooLarge(f"'text' has {len(text)} characters; the limit is {limit} (max_input_chars)")
    first, job = await start_speech(context, voice.request(text), voice.model.rate)
    response: Response
    if format.encoding == "flac":  # its header has the number of samples
        response = StoredResponse(*await store_speech(context, first, job, format.build_encoder), format.media_type)
    else:
        sound = encode_speech(first, job, format.build_encoder)
        response = StreamedResponse(await context.stack.enter_async_context(aclosing(sound)), format.media_type)
    response.headers.update(
        {
            "dg-request-id": request_id(context.request.scope),
            "dg-model-name": voice.name,
            "dg-model-uuid": model_uuid(voice.model),
            "dg-char-count": str(len(text)),
        }
    )
    return response


def read_text(body: BinaryIO | None, kind: str) -> str:
    """The text in a body of content type `kind`: JSON, or the text itself as text/plain. Raises BadRequest."""
    try:
        written = "" if body is None else body.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: {error}") from error
    if kind.startswith("text/plain"):
        text: object = written
    else:
        try:
            fields = read_json(written)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{NO_TEXT}; it is not valid JSON: {error}") from error
        text = fields.get("text") if isinstance(fields, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"{NO_TEXT}; there is no text")
    return text.strip()
