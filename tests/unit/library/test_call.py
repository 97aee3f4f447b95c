"""A call: its parts, its whole, its errors, and the end of its work however it is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest

from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.library.call import AsyncCall


class Work:
    """Three parts; `fails`: an error instead of the third. `ended`: the work is over or cancelled."""

    def __init__(self, fails: bool = False, refuses: bool = False, hangs: bool = False) -> None:
        self.fails, self.refuses, self.hangs = fails, refuses, hangs
        self.made: list[int] = []
        self.begun = 0
        self.ended = asyncio.Event()

    def call(self) -> AsyncCall[int, list[int]]:
        return AsyncCall(self.prepare, lambda: list(self.made))

    async def prepare(self, stack: AsyncExitStack) -> AsyncIterator[int]:
        self.begun += 1
        if self.refuses:
            raise BadRequest("no")
        stack.callback(self.ended.set)
        return await stack.enter_async_context(aclosing(self.parts()))

    async def parts(self) -> AsyncGenerator[int, None]:
        for number in range(3):
            if self.hangs:
                await asyncio.Event().wait()
            if self.fails and number == 2:
                raise EngineFailed("broken")
            self.made.append(number)
            yield number


async def test_parts_and_whole() -> None:
    work = Work()
    assert [part async for part in work.call()] == [0, 1, 2]
    assert work.ended.is_set()
    assert await Work().call() == [0, 1, 2]


async def test_the_whole_after_some_parts() -> None:
    call = Work().call()
    assert await anext(call) == 0
    assert await call == [0, 1, 2]
    assert await call == [0, 1, 2]


async def test_nothing_begins_before_it_is_asked_for() -> None:
    work = Work()
    call = work.call()
    await asyncio.sleep(0)
    assert not work.begun
    await call.begin()
    await call.begin()
    await asyncio.sleep(0.01)
    assert (work.begun, work.made) == (1, [0])
    assert await call == [0, 1, 2]


async def test_what_is_refused_is_refused_at_the_beginning() -> None:
    with pytest.raises(BadRequest, match="no"):
        await Work(refuses=True).call().begin()
    with pytest.raises(BadRequest, match="no"):
        await Work(refuses=True).call()


async def test_an_error_comes_again() -> None:
    work = Work(fails=True)
    call = work.call()
    with pytest.raises(EngineFailed, match="broken"):
        async for _ in call:
            pass
    assert work.ended.is_set()
    with pytest.raises(EngineFailed, match="broken"):
        await call


async def test_leaving_the_block_ends_the_work() -> None:
    for hangs in (False, True):
        work = Work(hangs=hangs)
        async with await work.call().begin() as call:
            await asyncio.sleep(0)
        assert work.ended.is_set()
        assert await call == work.made and [part async for part in call] == []


def test_an_error_that_nobody_reads_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    async def refused(stack: AsyncExitStack) -> AsyncIterator[int]:
        return await stack.enter_async_context(aclosing(broken()))

    async def broken() -> AsyncGenerator[int, None]:
        raise EngineFailed("broken")
        yield 0

    async def begun() -> AsyncCall[int, int]:
        call = await AsyncCall(refused, lambda: 0).begin()
        await asyncio.sleep(0.01)
        return call

    call = asyncio.run(begun())
    del call
    gc.collect()
    assert not caplog.records


async def test_a_call_that_is_cancelled_ends_its_work() -> None:
    work = Work(hangs=True)
    task = asyncio.ensure_future(_whole(work.call()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended.is_set()


async def _whole(call: AsyncCall[int, list[int]]) -> list[int]:
    return await call


async def test_a_call_that_nobody_has_ends_its_work() -> None:
    work = Work()
    call = await work.call().begin()
    async for _ in call:
        break
    del call
    gc.collect()
    async with asyncio.timeout(30):
        await work.ended.wait()
