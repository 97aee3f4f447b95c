"""The queue of what was said: order, dropping, waiting for room."""

from __future__ import annotations

import asyncio

import pytest

from speechmlx.conversation.event_queue import COUNTED, EventQueue
from speechmlx.conversation.events import Cleared, Event, ItemAdded, ItemDeleted, ItemRetrieved
from speechmlx.conversation.items.item import Item, Part


async def taken(outbox: EventQueue, count: int) -> list[Event]:
    events = aiter(outbox)
    return [await anext(events) for _ in range(count)]


async def test_order_and_dropping() -> None:
    outbox = EventQueue()
    for number in range(5):
        outbox.put(ItemDeleted(str(number)))
    outbox.put(Cleared())
    dropped = outbox.drop(lambda event: isinstance(event, ItemDeleted) and int(event.id) % 2 == 0)
    assert dropped == [ItemDeleted("0"), ItemDeleted("2"), ItemDeleted("4")]
    assert await taken(outbox, 3) == [ItemDeleted("1"), ItemDeleted("3"), Cleared()]


async def test_room() -> None:
    outbox = EventQueue()
    for _ in range(3):
        outbox.put(Cleared())
    await outbox.room(4)
    waiting = asyncio.create_task(outbox.room(3))
    await asyncio.sleep(0)
    assert not waiting.done()
    await taken(outbox, 1)
    async with asyncio.timeout(30):
        await waiting


async def test_the_end() -> None:
    outbox = EventQueue()
    outbox.put(Cleared())
    outbox.end()
    assert [event async for event in outbox] == [Cleared()]
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(outbox))


async def test_a_large_item_counts_as_many_events() -> None:
    outbox = EventQueue()
    outbox.put(ItemRetrieved(Item(id="a", parts=(Part("audio", "", bytes(10 * COUNTED)),))))
    outbox.put(ItemAdded(Item(id="b", parts=(Part("text", "x" * 5 * COUNTED),)), None))
    assert outbox.waiting == 17
    await taken(outbox, 2)
    assert outbox.waiting == 0
