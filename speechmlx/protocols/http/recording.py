"""Recordings in: the upload of a request, decoded, and how sure a model is of what it heard there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.endpoint import Call
from speechmlx.types import Segment

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


def confidence(segments: Sequence[Segment]) -> float:
    """The segments' confidence, each weighted by its length; 0 when nothing was said."""
    total = sum(segment.end - segment.start for segment in segments)
    if total <= 0:
        return 0.0
    return sum(segment.confidence * (segment.end - segment.start) for segment in segments) / total
