"""The event loop of callers that have none: results, errors, interruptions and the end."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

from speechmlx.errors import BadRequest, Draining
from speechmlx.library.loop_thread import LoopThread


class Ending:
    """What the last coroutine of a loop does."""

    def __init__(self) -> None:
        self.done = threading.Event()

    async def close(self) -> None:
        self.done.set()


async def double(number: int) -> int:
    await asyncio.sleep(0)
    if number < 0:
        raise BadRequest("negative")
    return 2 * number


def threads() -> int:
    return sum(thread.name == "speechmlx" for thread in threading.enumerate())


def test_results_and_errors_come_to_the_caller() -> None:
    ending, before = Ending(), threads()
    loop = LoopThread(ending.close)
    assert loop.run(double(3)) == 6
    with pytest.raises(BadRequest, match="negative"):
        loop.run(double(-1))
    loop.stop()
    loop.stop()
    assert ending.done.is_set() and threads() == before
    with pytest.raises(Draining, match="closed"):
        loop.run(double(3))


def test_callers_of_several_threads_do_not_wait_for_each_other() -> None:
    loop = LoopThread(Ending().close)
    event = loop.run(_event())
    waiting = threading.Thread(target=loop.run, args=(event.wait(),))
    waiting.start()
    assert loop.run(double(1)) == 2
    loop.run(_set(event))
    waiting.join(5)
    assert not waiting.is_alive()
    loop.stop()


def test_who_waits_at_the_end_is_told() -> None:
    loop = LoopThread(Ending().close)
    told: list[BaseException] = []

    def wait() -> None:
        try:
            loop.run(asyncio.sleep(60))
        except BaseException as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    loop.stop()
    waiting.join(5)
    assert not waiting.is_alive() and [type(error) for error in told] == [Draining]


def test_a_loop_that_nobody_has_ends() -> None:
    ending = Ending()
    loop = LoopThread(ending.close)
    loop.run(double(1))
    del loop
    gc.collect()
    assert ending.done.wait(5)


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def _set(event: asyncio.Event) -> None:
    event.set()
