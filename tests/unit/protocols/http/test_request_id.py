"""Ids of requests, in the answer and in the scope, and notes for the log."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from speechmlx.protocols.http.request_id import NOTES, RequestId, add_log_note, request_id


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
        await RequestId(app)({"type": "http"}, receive, send)
    ids = [dict(message["headers"])[b"x-request-id"].decode() for message in sent if "headers" in message]
    known = [request_id(scope) for scope in seen]
    assert len(set(known)) == 2 and all(id.startswith("req_") for id in known)
    assert ids == ([own, own] if own else known)


def test_notes_are_shared_by_copies_of_the_scope_and_ids_may_be_missing() -> None:
    scope: Scope = {NOTES: []}
    add_log_note({**scope}, "a")
    assert scope[NOTES] == ["a"] and request_id(scope) == "-"
