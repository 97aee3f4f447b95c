"""Answers that are sent before a body was read."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from speechmlx.protocols.http import inbox as module
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


@pytest.mark.parametrize("messages", [[MORE, MORE, LAST], [MORE, LEFT]])
async def test_the_rest_of_a_refused_body_is_read_and_the_connection_closed(messages: list[Message]) -> None:
    box = inbox(*messages)
    start, answer, end = await asyncio.wait_for(refusal(box), 1)
    assert box.complete and start["status"] == 413 and (b"connection", b"close") in start["headers"]
    assert answer == {"type": "http.response.body", "body": b"no", "more_body": True}
    assert end == {"type": "http.response.body", "body": b""}


async def test_a_client_that_stalls_is_waited_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.01)
    box = inbox(MORE)
    assert len(await asyncio.wait_for(refusal(box), 1)) == 3 and not box.complete


async def test_a_body_that_was_read_needs_no_wait() -> None:
    box = inbox(LAST)
    await box()
    start, answer = await refusal(box)
    assert answer["body"] == b"no" and (b"connection", b"close") not in start["headers"]
