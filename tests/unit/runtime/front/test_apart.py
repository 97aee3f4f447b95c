from __future__ import annotations

import asyncio
import threading

import pytest

from speechmlx.runtime.front.apart import apart


async def test_it_ends_after_the_work_and_raises_what_that_raises() -> None:
    names = list[str]()
    await apart(lambda: names.append(threading.current_thread().name), "work")
    assert names == ["work"]
    with pytest.raises(OSError, match="no disk"):
        await apart(lambda: exec('raise OSError("no disk")'), "work")


def test_a_loop_may_end_before_the_work() -> None:
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait(30)

    async def give_up() -> None:
        waiting = asyncio.create_task(apart(work, "work"))
        while not begun.is_set():
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(give_up())
    (left,) = [thread for thread in threading.enumerate() if thread.name == "work"]
    over.set()
    left.join(30)
    assert not left.is_alive()
