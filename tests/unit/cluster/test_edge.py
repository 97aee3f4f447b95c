"""The proxy's end of a request, around an app that does what Ray Serve's proxy does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.cluster import edge
from speechmlx.cluster.credit import TAKEN, WINDOW
from speechmlx.cluster.edge import LOST, LOST_SESSION, NO_REPLICA, Edge
from speechmlx.cluster.replica_side import HELLO

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"req_1")]}
OK: list[Message] = [START, {"type": "http.response.body", "body": b"ok"}]
ACCEPT: Message = {"type": "websocket.accept"}


def says(*messages: Message) -> ASGIApp:
    """A proxy that sends `messages` and ends the request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send({**message})

    return app


async def asked(
    app: ASGIApp, kind: str = "http", path: str = "/speak", incoming: Iterable[Message] = ()
) -> list[Message]:
    """What the client of a request gets. It sends `incoming`, then nothing."""
    sent: list[Message] = []
    rest = list(incoming)

    async def receive() -> Message:
        if not rest:
            await asyncio.Event().wait()
        return rest.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": kind, "path": path, "headers": [], "extensions": {"websocket.http.response": {}}}
    await Edge(app)(scope, receive, send)
    return sent


def status(sent: list[Message]) -> int:
    assert sent[0]["type"].endswith("response.start")
    return int(sent[0]["status"])


def header(sent: list[Message], name: str) -> str | None:
    return dict(sent[0]["headers"]).get(name.encode(), b"").decode() or None


def error(sent: list[Message]) -> str:
    found = json.loads(sent[1]["body"])["error"]
    return str(found["message"] if isinstance(found, dict) else found)


async def test_an_answer_passes_and_names_one_request_id() -> None:
    twice = {**START, "headers": [*START["headers"], (b"X-Request-ID", b"rays"), (b"a", b"b")]}
    sent = await asked(says(HELLO, twice, OK[1]))
    assert sent == [{**START, "headers": [(b"x-request-id", b"req_1"), (b"a", b"b")]}, OK[1]]


@pytest.mark.parametrize("path", ["/speak", "/v1/audio/speech", "/v1/listen"])
async def test_a_request_whose_replica_is_lost_is_told_to_try_again(path: str) -> None:
    sent = await asked(says(HELLO), path=path)
    assert status(sent) == 503
    assert header(sent, "retry-after") == "1"
    if path != "/v1/listen":
        assert error(sent) == LOST


async def test_an_answer_that_began_is_left_to_be_cut() -> None:
    assert await asked(says(HELLO, START)) == [START]


async def test_a_request_that_no_replica_takes_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "REACH", 0.01)

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    sent = await asked(waits)
    assert (status(sent), error(sent)) == (503, NO_REPLICA)


async def test_nor_one_whose_proxy_keeps_the_cancellation_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "REACH", 0.01)

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    assert status(await asked(waits)) == 503


async def test_a_replica_that_has_the_request_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "REACH", 0.01)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HELLO)
        await asyncio.sleep(0.05)
        await says(*OK)(scope, receive, send)

    assert await asked(slow) == OK


@pytest.mark.parametrize(("ray", "ours"), [(503, 503), (429, 429), (404, 503), (408, 408)])
async def test_rays_own_refusals_are_said_in_the_words_of_the_wire(ray: int, ours: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"7")]
    refusal = {"type": "http.response.start", "status": ray, "headers": headers}
    sent = await asked(says(refusal, {"type": "http.response.body", "body": b"why"}), path="/v1/audio/speech")
    assert (status(sent), header(sent, "retry-after")) == (ours, "7")
    assert error(sent) == (NO_REPLICA if ours == 503 else "why")


async def test_rays_own_pages_pass() -> None:
    page: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"s"},
    ]
    assert await asked(says(*page), path="/-/healthz") == page


async def test_a_session_whose_replica_is_lost_is_told_to_begin_anew() -> None:
    sent = await asked(says(HELLO, ACCEPT), "websocket", "/v1/realtime")
    assert sent == [ACCEPT, {"type": "websocket.close", "code": 1012, "reason": LOST_SESSION}]
    assert len(LOST_SESSION.encode()) <= 123


async def test_a_session_that_ended_is_not_closed_twice() -> None:
    close = {"type": "websocket.close", "code": 1000}
    assert await asked(says(HELLO, ACCEPT, close), "websocket") == [ACCEPT, close]


async def test_a_client_that_left_is_told_nothing() -> None:
    async def until_gone(scope: Scope, receive: Receive, send: Send) -> None:
        await says(HELLO, ACCEPT)(scope, receive, send)
        await receive()

    gone = {"type": "websocket.disconnect", "code": 1005}
    assert await asked(until_gone, "websocket", incoming=[gone]) == [ACCEPT]


async def test_a_handshake_that_no_replica_takes_is_answered() -> None:
    assert status(await asked(says(), "websocket")) == 503


async def test_the_client_is_read_no_faster_than_the_replica_takes() -> None:
    chunk = {"type": "http.request", "body": bytes(WINDOW), "more_body": True}
    read: list[Message] = []

    async def hoards(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HELLO)
        read.append(await receive())
        second = asyncio.create_task(_into(receive, read))
        await asyncio.sleep(0.02)
        assert len(read) == 1
        await send({"type": TAKEN, "size": WINDOW})
        await asyncio.wait_for(second, 1)
        await says(*OK)(scope, receive, send)

    assert await asked(hoards, incoming=[chunk, chunk, chunk]) == OK
    assert read == [chunk, chunk]


async def test_the_replica_is_told_what_the_client_has_taken() -> None:
    body = {"type": "http.response.body", "body": bytes(WINDOW), "more_body": True}
    told: list[Message] = []

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await says(HELLO, START, body)(scope, receive, send)
        told.append(await asyncio.wait_for(receive(), 1))

    await asked(streams)
    assert told[0]["type"] == TAKEN
    assert told[0]["size"] >= WINDOW


async def test_a_client_that_does_not_read_ends_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "STALL", 0.01)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def stuck(message: Message) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await Edge(says(HELLO, *OK))({"type": "http", "path": "/speak", "headers": []}, receive, stuck)


async def test_more_messages_than_allowed_are_read_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MESSAGES", 100.0)
    monkeypatch.setattr(edge, "MESSAGES_AT_ONCE", 2.0)
    loop = asyncio.get_running_loop()

    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        await says(HELLO, ACCEPT)(scope, receive, send)
        began = loop.time()
        for _ in range(7):
            await receive()
        assert loop.time() - began >= 0.04

    await asked(reads, "websocket", incoming=[{"type": "websocket.receive", "text": "x"}] * 7)


async def _into(receive: Callable[[], Awaitable[Message]], read: list[Any]) -> None:
    read.append(await receive())
