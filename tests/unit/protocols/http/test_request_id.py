"""Ids of requests, in the answer and in the scope, and notes for the log."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from speechmlx.log import RequestRecord, current, recording
from speechmlx.protocols.http.request_id import (
    NOTES,
    NamedRoute,
    RequestId,
    add_log_note,
    given_id,
    request_id,
)


async def receive() -> Message:
    raise AssertionError


@pytest.mark.parametrize("own", [None, "mine"])
async def test_every_answer_has_an_id_which_the_log_knows(own: str | None) -> None:
    seen: list[Scope] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await PlainTextResponse("", headers={"x-request-id": own} if own else None)(scope, receive, send)

    async def send(message: Message) -> None:
        sent.append(message)

    for _ in range(2):
        await RequestId(app)({"type": "http", "headers": []}, receive, send)
    ids = [dict(message["headers"])[b"x-request-id"].decode() for message in sent if "headers" in message]
    known = [request_id(scope) for scope in seen]
    assert len(set(known)) == 2 and all(id.startswith("req_") for id in known)
    assert ids == ([own, own] if own else known)


def test_notes_are_shared_by_copies_of_the_scope_and_ids_may_be_missing() -> None:
    scope: Scope = {NOTES: []}
    add_log_note({**scope}, "a")
    assert scope[NOTES] == ["a"] and request_id(scope) == "-"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([b"build-7"], "build-7"),
        ([b"00000000-0000-4000-8000-000000000000"], "00000000-0000-4000-8000-000000000000"),
        ([b"x" * 128], "x" * 128),
        ([b"x" * 129], None),
        ([b""], None),
        ([b"a b"], None),
        ([b"a\nb"], None),
        ([b"\xc3\xa9"], None),
        ([b"a", b"b"], None),
    ],
)
async def test_an_id_of_the_client_is_taken_where_it_may_be_one(given: list[bytes], taken: str | None) -> None:
    scope: Scope = {"type": "websocket", "headers": [(b"x-request-id", one) for one in given]}
    assert given_id(scope) == taken
    sent: list[Message] = []
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record = current()
        seen.append(record.id if record else "")
        await send({"type": "websocket.accept", "headers": []})

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestId(app)(scope, receive, send)
    (told,) = [value.decode() for name, value in sent[0]["headers"] if name == b"x-request-id"]
    assert seen == [told] == [request_id(scope)]
    assert told == taken if taken else told.startswith("req_")


async def test_a_route_tells_the_log_whose_it_is() -> None:
    with recording(RequestRecord("a")) as record:
        await NamedRoute(PlainTextResponse(""), "soniqo", "/v1/models/{name}")({"type": "http"}, receive, sink)
    assert (record.wire, record.route) == ("soniqo", "/v1/models/{name}")
    await NamedRoute(PlainTextResponse(""), "soniqo", "/")({"type": "http"}, receive, sink)  # outside of a request


async def sink(message: Message) -> None:
    """Sends nothing."""
