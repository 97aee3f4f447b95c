"""Responses that are sent while they are made."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message

from speechmlx.errors import EngineFailed
from speechmlx.protocols.http.streaming import StoredResponse, StreamedResponse, server_sent


async def sent_by(response: Response) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    await response({"type": "http"}, receive, send)
    return sent


async def pieces(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def test_pieces_are_sent_as_they_come_without_a_length() -> None:
    start, *bodies = await sent_by(StreamedResponse(pieces(b"a", b"", b"b"), "audio/mpeg"))
    assert (b"content-type", b"audio/mpeg") in start["headers"]
    assert b"content-length" not in dict(start["headers"])
    assert [(body["body"], body.get("more_body", False)) for body in bodies] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]


async def test_an_error_in_the_middle_leaves_the_body_without_its_end() -> None:
    with pytest.raises(EngineFailed):
        await sent_by(StreamedResponse(pieces(b"a", EngineFailed("no")), "audio/mpeg"))


async def test_an_error_is_the_last_server_sent_event() -> None:
    _, *bodies = await sent_by(server_sent(pieces({"a": "ü"}, EngineFailed("no"))))
    text = b"".join(body["body"] for body in bodies).decode()
    assert text.startswith('data: {"a":"ü"}\n\ndata: {"type":"error","error":{"message":"no",') and text.endswith(
        "\n\n"
    )


async def test_a_stored_body_has_its_length_and_is_sent_in_even_blocks() -> None:
    data = bytes(range(256)) * 2000
    start, *bodies = await sent_by(StoredResponse(io.BytesIO(data), len(data), "audio/flac"))
    assert dict(start["headers"])[b"content-length"] == b"512000"
    assert b"".join(body["body"] for body in bodies) == data
    assert all(len(body["body"]) % 2 == 0 for body in bodies) and len(bodies) > 2
