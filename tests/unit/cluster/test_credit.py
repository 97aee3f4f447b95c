"""How far one side of Ray may be ahead of the other."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from speechmlx.cluster.credit import OVERHEAD, REPORT, TAKEN, WINDOW, SendWindow, TakenCount, cost


@pytest.mark.parametrize(
    ("message", "size"),
    [
        ({"type": "http.request", "body": b"12345"}, 5),
        ({"type": "websocket.receive", "text": "123", "bytes": None}, 3),
        ({"type": "websocket.receive", "bytes": b"12"}, 2),
        ({"type": "websocket.connect"}, 0),
    ],
)
def test_a_message_costs_its_content_and_something_besides(message: Message, size: int) -> None:
    assert cost(message) == size + OVERHEAD


async def test_a_full_window_waits_until_the_other_side_has_taken_some() -> None:
    window = SendWindow()
    await window.room()
    window.add({"type": "http.request", "body": bytes(WINDOW)})
    waiting = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    window.taken(OVERHEAD)
    await asyncio.sleep(0)
    assert not waiting.done()
    window.taken(1)
    await asyncio.wait_for(waiting, 1)


async def test_nobody_waits_for_a_side_that_has_gone() -> None:
    window = SendWindow()
    window.add({"type": "http.request", "body": bytes(2 * WINDOW)})
    waiting = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    window.end()
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(window.room(), 1)


def test_what_was_taken_is_told_in_few_messages_and_whole() -> None:
    count, told, sent = TakenCount(), 0, 0
    for size in [10, REPORT, 3, 5 * REPORT, 1]:
        message = {"type": "http.request", "body": bytes(size)}
        sent += cost(message)
        if report := count.take(message):
            assert report["type"] == TAKEN
            told += report["size"]
    assert 0 <= sent - told < REPORT


def test_a_window_is_larger_than_what_goes_untold() -> None:
    """Else both sides would wait."""
    assert WINDOW > REPORT
