"""Answers that are sent before a body was read."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from speechmlx.protocols.http.inbox import Inbox, refuse

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}
MORE: Message = {"type": "http.request", "body": b"x", "more_body": True}
LAST: Message = {"type": "http.request", "body": b"x"}
LEFT: Message = {"type": "http.disconnect"}


def inbox(*messages: Message) -> Inbox:
    """An inbox that gets `messages` and then nothing."""
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return Inbox(receive)


async def refusal(box: Inbox) -> list[Message]:
    """The messages of a refusal."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await refuse(PlainTextResponse("no", 413), SCOPE, box, send)
    return sent


@pytest.mark.parametrize(
    ("messages", "complete"), [([MORE], False), ([LAST], True), ([LEFT], True), ([MORE, LAST], True)]
)
async def test_a_body_is_complete_at_its_end_or_when_the_client_left(messages: list[Message], complete: bool) -> None:
    box = inbox(*messages)
    assert not box.complete
    for message in messages:
        assert await box() == message
    assert box.complete is complete


async def test_a_refusal_waits_for_no_more_of_the_body() -> None:
    box = inbox(MORE)
    start, answer = await asyncio.wait_for(refusal(box), 1)
    assert start["status"] == 413 and (b"connection", b"close") in start["headers"]
    assert answer["body"] == b"no" and not answer.get("more_body") and not box.complete


async def test_a_body_that_was_read_needs_no_wait() -> None:
    box = inbox(LAST)
    await box()
    start, answer = await refusal(box)
    assert answer["body"] == b"no" and (b"connection", b"close") not in start["headers"]
