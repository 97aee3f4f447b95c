"""A response by itself: what is dropped when it is interrupted, and what the history keeps of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import Event, OutputAudio
from speechmlx.conversation.items.history import History
from speechmlx.conversation.response.cascade import Clause, Piece, Said
from speechmlx.conversation.response.response import ActiveResponse
from speechmlx.conversation.settings import Answering, ResponseRequest
from speechmlx.types import Chunk, TextDelta

TEXT = "one two three four"


def respond(
    outbox: EventQueue, history: History, heard: Callable[[], float], out_of_band: bool = False
) -> ActiveResponse:
    """TEXT is said in one second, in five pieces; the end never comes."""

    async def pieces(response: ActiveResponse) -> AsyncGenerator[Piece, None]:
        return say()

    async def say() -> AsyncGenerator[Piece, None]:
        yield TextDelta(TEXT, 4)
        yield Clause(TEXT)
        yield Chunk(b"\1\0" * 24000, 24000)
        yield Said()
        await asyncio.sleep(60)

    plan = ResponseRequest(answering=Answering(), out_of_band=out_of_band)
    return ActiveResponse(plan, outbox, history, pieces, heard, lambda over: None, None, (0.0, 0.0), 0.0)


async def audio(events: AsyncIterator[Event], count: int) -> list[str]:
    """The responses that the next pieces of audio belong to; fewer than `count` where the end comes first."""
    found = list[str]()
    while len(found) < count and (event := await anext(events, None)) is not None:
        if isinstance(event, OutputAudio):
            found.append(event.response)
    return found


async def test_an_interruption_drops_what_was_not_sent_and_only_of_its_own() -> None:
    outbox, history = EventQueue(), History()
    events = aiter(outbox)
    one, other = (respond(outbox, history, lambda: 9.0, outside) for outside in (False, True))
    assert await audio(events, 2) == [one.id] * 2
    one.interrupt("turn_detected", live=True)
    outbox.end()
    assert await audio(events, 99) == [other.id] * 5
    assert [item.text for item in history] == ["one two"]
    await other.close()


@pytest.mark.parametrize(("heard", "kept"), [(0.1, ""), (0.5, "one two"), (0.8, "one two three"), (9.0, TEXT)])
async def test_an_interruption_keeps_what_was_heard(heard: float, kept: str) -> None:
    outbox, history, now = EventQueue(), History(), 0.0
    response = respond(outbox, history, lambda: now)
    assert len(await audio(aiter(outbox), 5)) == 5
    now = heard
    response.interrupt("turn_detected", live=True)
    assert [item.text for item in history] == [kept]


async def test_what_the_client_says_was_heard_counts() -> None:
    outbox, history, now = EventQueue(), History(), 0.0
    response = respond(outbox, history, lambda: now)
    assert len(await audio(aiter(outbox), 5)) == 5
    (item,) = history
    assert response.truncate(item.id, 0.5) == 0.5
    now = 0.9
    response.interrupt("client_cancelled", live=True)
    assert [item.text for item in history] == ["one two"]
