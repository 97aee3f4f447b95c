"""Events on the socket: a line of JSON, then data and payload of the lengths that the line names; all are limited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wyoming.event import Event, async_write_event

from speechmlx.errors import BadRequest, TooLarge

WIRE = "wyoming"
"""The wire's name in /metrics."""
MAX_HEADER = 64 * 1024
"""Bytes of the line. The reader of the socket must be made with this limit."""
MAX_DATA = 1024 * 1024
MAX_PAYLOAD = 4 * 1024 * 1024
"""Bytes; two minutes of 16-bit samples at 16 kHz."""
ARRIVAL = 30.0
"""Seconds in which an event arrives as a whole, from its first byte on."""
DEPARTURE = 30.0
"""Seconds in which a client takes an event."""

Write = Callable[[Sequence[Event]], Awaitable[None]]
"""Sends events to one client. Raises OSError."""


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event; None at the end of the stream, also where that cuts an event.

    Waits for the first byte as long as it takes. Raises BadRequest for what is no event, TooLarge for one over a
    limit, and OSError.
    """
    first = await reader.read(1)
    if not first:
        return None
    try:
        async with asyncio.timeout(ARRIVAL):
            return await _read_rest(first, reader)
    except asyncio.IncompleteReadError:
        return None
    except TimeoutError:
        raise BadRequest(f"an event did not arrive within {ARRIVAL:g} s") from None


async def write_event(event: Event, writer: asyncio.StreamWriter) -> None:
    """Send an event. Raises OSError; TimeoutError, which is one, where the client does not read."""
    async with asyncio.timeout(DEPARTURE):
        await async_write_event(event, writer)


async def _read_rest(first: bytes, reader: asyncio.StreamReader) -> Event | None:
    try:
        line = first if first == b"\n" else first + await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise TooLarge(f"the line of an event is longer than {MAX_HEADER} bytes") from None
    header = _json_object(line, "the line of an event")
    kind, data = header.get("type"), header.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict | None):
        raise BadRequest('the line of an event needs a "type", which is text; its "data" is an object')
    data_length = _length(header, "data_length", MAX_DATA)
    payload_length = _length(header, "payload_length", MAX_PAYLOAD)
    merged: dict[str, Any] = dict(data or {})
    if data_length:
        merged |= _json_object(await reader.readexactly(data_length), "the data of an event")
    payload = await reader.readexactly(payload_length) if payload_length else None
    return Event(kind, merged, payload)


def _json_object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text, and cannot be sent back
    except (ValueError, RecursionError):
        raise BadRequest(f"{what} is no JSON: {text[:80]!r}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"{what} is no JSON object: {text[:80]!r}")
    return value


def _length(header: dict[str, Any], name: str, most: int) -> int:
    length = header.get(name) or 0
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise BadRequest(f'"{name}" is {length!r:.80}; allowed is a number of bytes up to {most}')
    if length > most:
        raise TooLarge(f'"{name}" is {length}; allowed is up to {most} bytes')
    return length
