"""What one holder may take of the places."""

from __future__ import annotations

import asyncio

import pytest

from speechmlx.runtime.front.client import EngineClient, current, share, takes_place
from speechmlx.types import Listen, Priority, Speak


@pytest.mark.parametrize(("limit", "part"), [(1, 1), (2, 1), (3, 1), (64, 32)])
def test_half_of_the_places_and_one_at_least(limit: int, part: int) -> None:
    assert share(limit) == part


async def test_tasks_work_for_the_client_of_who_started_them() -> None:
    async def name() -> str:
        return current.get().name

    current.set(EngineClient("a"))
    task = asyncio.create_task(name())
    current.set(EngineClient("b"))
    assert await task == "a"


def test_live_work_takes_no_place() -> None:
    assert takes_place(Speak(text="a")) and takes_place(Speak(text="a", priority=Priority.BULK))
    assert not takes_place(Speak(text="a", priority=Priority.REALTIME)) and not takes_place(Listen())
