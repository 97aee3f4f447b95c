"""A channel's order, room, end and errors."""

from __future__ import annotations

import asyncio

import pytest

from speechmlx.errors import EngineFailed
from speechmlx.runtime.channel import Channel


async def turns() -> None:
    """Let every other task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def rest(channel: Channel[int]) -> list[int]:
    return [item async for item in channel]


@pytest.mark.parametrize("items", [[], [1], [1, 2, 3]])
async def test_the_reader_gets_what_waits_in_order_and_then_the_end(items: list[int]) -> None:
    channel = Channel[int]()
    for item in items:
        channel.put(item)
    channel.end()
    assert await rest(channel) == items
    assert await rest(channel) == []


async def test_a_reader_waits_for_an_item_and_for_the_end() -> None:
    channel = Channel[int]()
    reading = asyncio.create_task(rest(channel))
    await turns()
    channel.put(1)
    await turns()
    assert not reading.done()
    channel.put(2)
    channel.end()
    assert await reading == [1, 2]


async def test_nothing_is_added_after_the_end_and_its_first_error_counts() -> None:
    channel = Channel[int]()
    channel.put(1)
    channel.end(EngineFailed("first"))
    channel.end()
    channel.put(2)
    await channel.send(3)
    assert channel.ended and channel.waiting == 1
    assert await anext(channel) == 1
    for _ in range(2):
        with pytest.raises(EngineFailed, match="first"):
            await anext(channel)


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_reaches_the_reader_whether_it_waits_or_comes_later(waits: bool) -> None:
    channel = Channel[int]()
    reading = asyncio.create_task(rest(channel))
    if waits:
        await turns()
    channel.end(EngineFailed("lost"))
    with pytest.raises(EngineFailed, match="lost"):
        await reading


async def test_writers_wait_for_room() -> None:
    channel = Channel[int](2)
    written: list[int] = []

    async def write(item: int) -> None:
        await channel.send(item)
        written.append(item)

    writers = [asyncio.create_task(write(item)) for item in range(4)]
    await turns()
    assert written == [0, 1]
    assert await anext(channel) == 0
    await turns()
    assert written == [0, 1, 2]
    channel.end()
    await asyncio.gather(*writers)
    assert await rest(channel) == [1, 2]


async def test_put_does_not_wait_for_room() -> None:
    channel = Channel[int](1)
    for item in range(3):
        channel.put(item)
    assert channel.waiting == 3


@pytest.mark.parametrize(("sizes", "fits"), [([], True), ([9], True), ([10], False), ([100], False), ([4, 6], False)])
async def test_room_is_counted_by_size(sizes: list[int], fits: bool) -> None:
    channel = Channel[bytes](10, len)
    for size in sizes:
        channel.put(bytes(size))
    waiting = asyncio.create_task(channel.room())
    await turns()
    assert waiting.done() is fits
    assert channel.waiting == sum(sizes)
    channel.end()
    await waiting


async def test_room_below_a_limit_of_the_caller() -> None:
    channel = Channel[int]()
    for item in range(3):
        channel.put(item)
    await channel.room(4)
    waiting = asyncio.create_task(channel.room(3))
    await turns()
    assert not waiting.done()
    await anext(channel)
    await waiting


async def test_dropped_items_make_room() -> None:
    channel = Channel[int](3, lambda item: item)
    for item in (1, 2, 3, 4):
        channel.put(item)
    waiting = asyncio.create_task(channel.room(5))
    await turns()
    assert channel.drop(lambda item: item > 9) == []
    assert channel.drop(lambda item: item % 2 == 0) == [2, 4]
    assert channel.waiting == 4
    await waiting
    channel.end()
    assert await rest(channel) == [1, 3]


async def write_one(channel: Channel[int], error: Exception | None = None, forever: bool = False) -> None:
    channel.put(1)
    if forever:
        await asyncio.Event().wait()
    if error is not None:
        raise error


async def test_it_ends_after_a_task() -> None:
    channel = Channel[int]()
    task = asyncio.create_task(write_one(channel))
    channel.end_after(task)
    assert await rest(channel) == [1]


async def test_it_ends_with_the_error_of_a_task() -> None:
    channel = Channel[int]()
    channel.end_after(asyncio.create_task(write_one(channel, EngineFailed("lost"))))
    assert await anext(channel) == 1
    with pytest.raises(EngineFailed, match="lost"):
        await anext(channel)


async def test_it_is_cancelled_with_a_task() -> None:
    channel = Channel[int]()
    task = asyncio.create_task(write_one(channel, forever=True))
    channel.end_after(task)
    assert await anext(channel) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(channel)
