"""Deepgram's /v1/speak, by POST and on the WebSocket, with scripted engines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from speechmlx.audio.decode import decode

if TYPE_CHECKING:
    from protocols.conftest import Server

SCRIPT = "steps=5 work=0.1 bytes=4800"
WORDS = "one two three four five six seven eight nine ten"


def test_speech_is_streamed_with_every_header(server: Server) -> None:
    began = time.monotonic()
    query = {"model": "scripted", "encoding": "linear16", "container": "none"}
    with server.client() as client, client.stream("POST", "/v1/speak", params=query, json={"text": SCRIPT}) as answer:
        pieces = [(time.monotonic() - began, piece) for piece in answer.iter_raw()]
    assert b"".join(piece for _, piece in pieces) == b"".join(
        np.full(2400, 1000 + number, "<i2").tobytes() for number in range(5)
    )
    assert pieces[-1][0] - pieces[0][0] > 0.3
    headers = answer.headers
    assert headers["transfer-encoding"] == "chunked" and "content-length" not in headers
    assert headers["content-type"] == "audio/l16;rate=24000;channels=1"
    assert headers["dg-request-id"] == headers["x-request-id"]
    assert (headers["dg-model-name"], headers["dg-char-count"]) == ("scripted", str(len(SCRIPT)))
    assert headers["dg-model-uuid"] and headers["date"]


@pytest.mark.parametrize(
    ("query", "media_type", "rate"),
    [
        ("", "audio/mpeg", 22050),
        ("encoding=linear16&sample_rate=48000", "audio/wav", 48000),
        ("encoding=mulaw", "audio/wav", 8000),
        ("encoding=alaw&sample_rate=16000", "audio/wav", 16000),
        ("encoding=opus&container=ogg", "audio/ogg", 48000),
        ("encoding=flac&sample_rate=16000", "audio/flac", 16000),
        ("encoding=aac&bit_rate=64000", "audio/aac", 22050),
    ],
)
def test_encodings(conversing: Server, query: str, media_type: str, rate: int) -> None:
    with conversing.client() as client:
        answer = client.post(f"/v1/speak?model=aura-2-thalia-en&speed=0.5&{query}", json={"text": WORDS})
    assert answer.headers["content-type"] == media_type
    heard = decode(answer.content, 24000)
    assert heard.duration == pytest.approx(2.0, abs=0.2)  # ten words of 0.1 s at half speed
    if media_type == "audio/wav":
        assert int.from_bytes(answer.content[24:28], "little") == rate


def test_a_text_may_be_plain(conversing: Server) -> None:
    with conversing.client() as client:
        plain = client.post("/v1/speak", content="Grüße aus Köln", headers={"Content-Type": "text/plain"})
        as_json = client.post("/v1/speak", json={"text": " Grüße aus Köln "})
    assert plain.content == as_json.content and plain.headers["dg-char-count"] == "14"


@pytest.mark.parametrize(
    ("query", "body", "status", "code", "says"),
    [
        ("encoding=wav", {"text": "a"}, 400, "Bad Request", "'encoding' must be one of mp3"),
        (
            "encoding=mulaw&sample_rate=44100",
            {"text": "a"},
            400,
            "Bad Request",
            "must be one of 8000, 16000, not 44100",
        ),
        ("callback=http://a.b", {"text": "a"}, 400, "Bad Request", "'callback' is not available"),
        ("", {"words": "a"}, 400, "Bad Request", "there is no text"),
        ("", {"text": "  "}, 400, "Bad Request", "there is no text"),
        ("", {"text": 5}, 400, "Bad Request", "there is no text"),
        ("", "Hello", 400, "Bad Request", "not valid JSON"),
        ("", b"\xff", 400, "Bad Request", "not UTF-8"),
        ("", b"", 400, "Bad Request", "there is no text|not valid JSON"),
        ("", {"text": "a" * 5000}, 413, "PAYLOAD_TOO_LARGE", "has 5000 characters; the limit is 4096"),
        ("", {"text": "mute"}, 400, "Bad Request", "nothing in the text can be said"),
        ("model=work=0 fail=0", {"text": "a"}, 500, "INTERNAL_SERVER_ERROR", "fail"),
    ],
)
def test_errors(conversing: Server, query: str, body: Any, status: int, code: str, says: str) -> None:
    sent = {"json": body} if isinstance(body, dict) else {"content": body}
    with conversing.client() as client:
        answer = client.post(f"/v1/speak?{query}", **sent)
    told = answer.json()
    assert (answer.status_code, told["err_code"]) == (status, code)
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(told["err_msg"])
    assert told["request_id"] == answer.headers["dg-request-id"] and told.keys() == {
        "err_code",
        "err_msg",
        "request_id",
    }


def test_errors_of_no_handler_have_the_shape_too(start_server: Any) -> None:
    with start_server("--api-key", "secret") as server, server.client() as client:
        refused, wrong = client.post("/v1/speak"), client.get("/v1/speak", headers={"Authorization": "Token secret"})
        spoken = client.post("/v1/speak?model=scripted", json={"text": "a"}, headers={"Authorization": "Token secret"})
    assert (refused.status_code, refused.json()["err_code"]) == (401, "INVALID_AUTH")
    assert refused.json()["request_id"] == refused.headers["dg-request-id"]
    assert wrong.status_code == 405 and "GET is not allowed" in wrong.json()["err_msg"]
    assert spoken.status_code == 200


# --- The WebSocket -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_socket(server: Server, query: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
    address = f"{server.url.replace('http', 'ws')}/v1/speak?model=aura-2-thalia-en&{query}"
    async with connect(address, proxy=None, **more) as socket:
        yield socket


async def until(socket: ClientConnection, kind: str) -> tuple[float, list[dict[str, Any]]]:
    """Bytes of sound, and the messages, up to the first of `kind`."""
    size, told = 0, list[dict[str, Any]]()
    async with asyncio.timeout(20):
        while not told or told[-1]["type"] != kind:
            message = await socket.recv()
            if isinstance(message, bytes):
                size += len(message)
            else:
                told.append(json.loads(message))
    return size, told


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def test_text_in_pieces_is_spoken_while_more_comes(conversing: Server) -> None:
    async with open_socket(conversing, subprotocols=["token", "unused"]) as socket:
        assert socket.subprotocol == "token" and socket.response is not None
        first = json.loads(await socket.recv())
        assert first["request_id"] == socket.response.headers["dg-request-id"] and first["type"] == "Metadata"
        for word in ("One ", "two ", "three ", "four. ", "And "):
            await send(socket, "Speak", text=word)
        early = await socket.recv()
        assert isinstance(early, bytes)
        await send(socket, "Speak", text="five.")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert told == [{"type": "Flushed", "sequence_id": 0}]
        assert len(early) + size == pytest.approx(2 * 24000 * 0.6, rel=0.05)  # six words
        await send(socket, "Speak", text="Six.")
        await send(socket, "Close")
        last = [message async for message in socket]
    assert socket.close_code == 1000 and sum(map(len, last)) == pytest.approx(2 * 24000 * 0.1, rel=0.05)


@pytest.mark.parametrize(
    ("encoding", "rate", "width"), [("mulaw", 8000, 1), ("alaw", 16000, 1), ("linear16", 48000, 2)]
)
async def test_samples_are_written_as_asked(conversing: Server, encoding: str, rate: int, width: int) -> None:
    async with open_socket(conversing, f"encoding={encoding}&sample_rate={rate}") as socket:
        await send(socket, "Speak", text=WORDS)
        await send(socket, "Flush")
        size, _ = await until(socket, "Flushed")
    assert size / rate / width == pytest.approx(1.0, abs=0.01)  # ten words


async def test_clear_drops_what_was_not_said(conversing: Server) -> None:
    async with open_socket(conversing, "model=work=0.05") as socket:
        await send(socket, "Speak", text=f"{WORDS}. " * 20)
        await send(socket, "Flush")
        await until(socket, "Metadata")
        assert isinstance(await socket.recv(), bytes)
        await send(socket, "Clear")
        size, told = await until(socket, "Cleared")
        assert size < 2 * 24000 * 5 and [one["type"] for one in told] == ["Cleared"]
        await send(socket, "Speak", text="Again.")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert told == [{"type": "Flushed", "sequence_id": 1}] and size == pytest.approx(2 * 24000 * 0.1, rel=0.05)


async def test_nonsense_is_a_warning_and_too_much_is_the_end(conversing: Server) -> None:
    async with open_socket(conversing) as socket:
        await socket.send("Hello")
        _, told = await until(socket, "Warning")
        assert "not valid JSON" in told[-1]["description"]
        await send(socket, "Speak", text="x" * 5000)
        await asyncio.wait_for(socket.wait_closed(), 10)
    assert (socket.close_code, socket.close_reason[:8] if socket.close_reason else "") == (1009, "BIG-0001")


async def test_a_bad_query_is_refused_before_the_handshake(conversing: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(conversing, "encoding=mp3"):
            pass
    response = refused.value.response
    assert response.status_code == 400 and "'encoding' must be one of linear16" in response.headers["dg-error"]
    assert json.loads(response.body)["request_id"] == response.headers["dg-request-id"]
