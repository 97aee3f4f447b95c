"""Places for work that clients get in turn."""

from __future__ import annotations

import asyncio

from speechmlx.runtime.front.turns import Turns


async def test_one_piece_of_each_client_in_turn() -> None:
    turns, served = Turns(1), list[str]()

    async def work(client: str) -> None:
        async with turns.turn(client):
            served.append(client)
            await asyncio.sleep(0)

    await asyncio.gather(*(work("a") for _ in range(100)), work("b"), work("b"), work("c"))
    assert served[:6] == ["a", "a", "b", "c", "a", "b"] and len(served) == 103


async def test_nobody_is_a_client_of_its_own() -> None:
    turns, served = Turns(1), list[int]()

    async def work(number: int) -> None:
        async with turns.turn(""):
            served.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(5)))
    assert served == [0, 1, 2, 3, 4]


async def test_who_gives_up_loses_no_place() -> None:
    turns = Turns(1)
    async with turns.turn("a"):
        waiting = [asyncio.create_task(turns.turn("b").__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # its place has come, but it has not run yet
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn("c"):
        pass
