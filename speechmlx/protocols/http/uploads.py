"""The recording of a request, decoded to a model's rate."""

from __future__ import annotations

from typing import BinaryIO

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.decoding import ALL, Span
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.types import Audio

NO_FILE = "missing 'file': the recording, as a file of a multipart form or as base64 in JSON"


def require_upload(context: RequestContext, missing: str = NO_FILE) -> BinaryIO:
    """The request's recording as it came. Raises BadRequest(`missing`) where there is none."""
    if context.body.upload is None:
        raise BadRequest(missing)
    return context.body.upload


async def decode_upload(context: RequestContext, rate: int, pcm_rate: int | None = None, span: Span = ALL) -> Audio:
    """Decode the request's recording, or its `span`, to `rate` Hz. `pcm_rate` is the rate of headerless PCM16.

    Raises BadRequest where there is no recording, BadAudio, TooLarge and Busy.
    """
    file = require_upload(context)
    return await context.services.decoding.decode(file, rate, context.stack, pcm_rate, span)
