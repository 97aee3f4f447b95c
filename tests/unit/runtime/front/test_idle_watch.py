"""When the engine process may end for want of work."""

from __future__ import annotations

import asyncio

import pytest

from speechmlx.runtime.front.idle_watch import CHECKS, IdleWatch


class Work:
    """What a watch asks for, and how often it called `rest`."""

    def __init__(self) -> None:
        self.idle, self.jobs, self.rested = True, 0, 0

    def rest(self) -> None:
        self.rested += 1

    def watch(self, seconds: float) -> IdleWatch:
        return IdleWatch(seconds, lambda: self.idle, lambda: self.jobs, self.rest)


@pytest.mark.parametrize("disturbance", ["busy", "job"])
def test_only_quiet_checks_in_a_row_count(disturbance: str) -> None:
    work = Work()
    watch = work.watch(60)
    watch.check()  # the first has nothing to compare with
    for _ in range(CHECKS - 1):
        watch.check()
    if disturbance == "busy":
        work.idle = False
        watch.check()
        work.idle = True
    else:
        work.jobs += 1  # one that began and ended between two checks
        watch.check()
    for _ in range(CHECKS - 1):
        watch.check()
    assert work.rested == 0
    watch.check()
    assert work.rested == 1
    for _ in range(CHECKS - 1):
        watch.check()
    assert work.rested == 1


async def test_it_rests_after_the_time_and_never_with_0() -> None:
    work = Work()
    await work.watch(0).run()
    running = asyncio.create_task(work.watch(0.06).run())
    async with asyncio.timeout(10):
        while not work.rested:
            await asyncio.sleep(0.01)
    running.cancel()
