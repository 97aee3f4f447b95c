"""Recordings in: the upload of a request, decoded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.endpoint import Call

if TYPE_CHECKING:
    from speechmlx.types import Audio


async def decoded(call: Call, rate: int) -> Audio:
    """The upload at `rate` Hz. Raises BadRequest where there is none, BadAudio and TooLarge."""
    upload = call.body.upload
    if upload is None:
        raise BadRequest("missing 'file': the recording, as a file of a multipart form or as base64 in JSON")

    def work() -> Audio:
        from speechmlx.audio.decode import decode

        return decode(upload, rate)

    return await asyncio.to_thread(work)
