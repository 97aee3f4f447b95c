"""The bytes of a request body as they come, under limits of size, of pauses, of time and of rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect, Request

from speechmlx.errors import TooLarge, TooSlow

SILENCE = 30.0
"""Seconds an upload may pause."""
SECONDS = 900.0
"""Seconds a whole upload may take."""
START = 30.0
"""Seconds in which an upload may be slower than LEAST_RATE."""
LEAST_RATE = 1000.0
"""Bytes per second, on average since START: what Opus at 8 kbit/s takes. Slower uploads are given up."""


def check_announced(request: Request, limit: int) -> None:
    """Raises TooLarge for a body whose Content-Length is over `limit` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)


async def body_chunks(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks. Raises TooLarge as soon as `limit` bytes are passed, TooSlow, and ClientDisconnect."""
    size, waited = 0, 0.0
    more = True
    while more:
        left = min(SECONDS, START + size / LEAST_RATE) - waited
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(SILENCE, left)):
                message = await request.receive()
        except TimeoutError:
            raise _too_slow(size, waited + time.monotonic() - began, left) from None
        waited += time.monotonic() - began
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over the limit of {limit / 2**20:g} MB ({limit} bytes)")


def _too_slow(size: int, waited: float, left: float) -> TooSlow:
    if left > SILENCE:
        return TooSlow(f"the upload paused for more than {SILENCE:g} seconds")
    return TooSlow(
        f"the upload was too slow: {size} bytes in {waited:.0f} seconds; after {START:g} seconds it must have "
        f"{LEAST_RATE:g} bytes per second, and end in {SECONDS:g} seconds"
    )
