"""LiveLink: a session whose connection breaks, comes back, is replaced, or does not come back."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.websockets import WebSocketState
from support.link_socket import LinkSocket

from speechmlx.errors import UnknownSession
from speechmlx.protocols import live_link
from speechmlx.protocols.live_link import LiveLink, Place
from speechmlx.protocols.replay_log import ReplayLog
from speechmlx.protocols.ws import Answer, Close, ResumePoint

WINDOW = 5.0


def greet(point: ResumePoint) -> str:
    return f"again {point.received} {point.sent}"


def after(number: int | None = None) -> Place:
    return lambda link: link.confirmed if number is None else number


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Carried:
    """A connection that is joined to a link."""

    def __init__(self, link: LiveLink, place: Place | None = None, confirms: bool = True) -> None:
        self.socket = LinkSocket(confirms)
        self.task = asyncio.create_task(link.carry(self.socket, place))

    async def leave(self, code: int = 1006) -> None:
        self.socket.leave(code)
        await asyncio.wait_for(self.task, 5)


@asynccontextmanager
async def linked(window: float = WINDOW) -> AsyncIterator[LiveLink]:
    link = LiveLink(greet, window)
    yield link
    link.end()
    await settle()


async def tell(link: LiveLink, *messages: str) -> None:
    async with asyncio.timeout(30):
        for message in messages:
            await link.send_text(message)


async def test_a_broken_connection_is_followed_by_another_without_a_gap() -> None:
    async with linked() as link:
        first = Carried(link)
        first.socket.put("1", "2")
        assert [(await link.receive())["text"] for _ in range(2)] == ["1", "2"]
        await tell(link, "a", "b")
        assert first.socket.sent == ["a", "b"]
        await first.leave()
        assert link.is_away and link.application_state is WebSocketState.CONNECTED
        await tell(link, "c")
        second = Carried(link, after(1))  # it never got b
        await settle()
        assert second.socket.sent == ["again 2 1", "b", "c"]
        second.socket.put("3")
        assert (await link.receive())["text"] == "3"
        await tell(link, "d")
        assert second.socket.sent[-1] == "d"
        await second.leave()


@pytest.mark.parametrize("code", [1000, 1001, 1005, 3000, 4000, 1008])
async def test_a_client_that_closes_ends_its_session(code: int) -> None:
    async with linked() as link:
        first = Carried(link)
        first.socket.put("1")
        await first.leave(code)
        assert link.over and link.application_state is WebSocketState.DISCONNECTED
        assert (await link.receive())["text"] == "1"
        assert (await link.receive())["type"] == "websocket.disconnect"


@pytest.mark.parametrize("code", live_link.BROKEN)
async def test_other_ends_keep_it(code: int) -> None:
    async with linked() as link:
        await Carried(link).leave(code)
        assert link.is_away


async def test_a_client_that_does_not_come_back_ends_its_session() -> None:
    changes: list[bool] = []
    async with linked(window=0.05) as link:
        link.on_change = lambda: changes.append(link.over)
        await Carried(link).leave()
        assert changes == [False]
        async with asyncio.timeout(30):
            assert (await link.receive())["type"] == "websocket.disconnect"
        assert link.over and changes == [False, True]
        with pytest.raises(UnknownSession, match="begin a new one"):
            await link.carry(LinkSocket(), after())


async def test_nothing_is_kept_without_a_window() -> None:
    async with linked(window=0.0) as link:
        await Carried(link).leave()
        assert link.over


async def test_a_client_that_does_not_say_where_it_is_gets_what_was_not_confirmed() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        await tell(link, "a", "b")
        first.socket.confirm()
        await tell(link, "c")
        await first.leave()
        second = Carried(link, after())
        await settle()
        assert second.socket.sent == ["again 0 2", "c"]
        second.socket.confirm()  # with its first message, which is none of the session
        await second.leave()
        third = Carried(link, after())
        await settle()
        assert third.socket.sent == ["again 0 3"]


async def test_what_the_client_said_it_has_is_confirmed() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        await tell(link, "a", "b")
        await first.leave()
        second = Carried(link, after(2))
        await settle()
        await second.leave()
        third = Carried(link, after())
        await settle()
        assert third.socket.sent == ["again 0 2"]


async def test_a_server_in_front_that_confirms_nothing_counts_as_delivering() -> None:
    async with linked() as link:
        first = Carried(link, confirms=False)
        await settle()
        await tell(link, "a", "b")
        await first.leave()
        second = Carried(link, after(), confirms=False)
        await settle()
        assert second.socket.sent == ["again 0 2"]


async def test_the_newer_connection_wins() -> None:
    async with linked() as link:
        old = Carried(link)
        old.socket.put("1")
        await tell(link, "a")
        new = Carried(link, after(1))
        await settle()
        assert old.task.done() and old.socket.sent == ["a", 4409]
        assert new.socket.sent == ["again 1 1"]
        newer, newest = Carried(link, after(1)), Carried(link, after(1))
        await settle()
        assert new.task.done() and newer.task.done() and not newest.task.done()
        await tell(link, "b")
        assert newest.socket.sent == ["again 1 1", "b"]


async def test_an_old_connection_that_takes_nothing_more_does_not_hold_the_session() -> None:
    async with linked() as link:
        old = Carried(link)
        await settle()
        old.socket.may_send.clear()
        telling = asyncio.create_task(tell(link, "a", "b"))
        await settle()
        assert not telling.done()
        new = Carried(link, after(0))
        await asyncio.wait_for(telling, 5)
        assert new.socket.sent == ["again 0 0", "a", "b"]


async def test_messages_that_the_session_did_not_take_are_told_as_not_received() -> None:
    """It takes one at a time; the client sends the others again."""
    async with linked() as link:
        old = Carried(link)
        old.socket.put("1", "2", "3")
        await settle()
        new = Carried(link, after(0))
        await settle()
        assert new.socket.sent == ["again 1 0"]
        new.socket.put("2", "3")
        assert [(await link.receive())["text"] for _ in range(3)] == ["1", "2", "3"]


async def test_a_session_waits_while_too_much_waits_for_its_client() -> None:
    async with linked() as link:
        await Carried(link).leave()
        big = "x" * (live_link.AHEAD // 4)
        telling = asyncio.create_task(tell(link, *[big] * 10))
        await settle()
        assert not telling.done() and link.log.last == 4
        back = Carried(link, after(0))
        await asyncio.wait_for(telling, 5)
        assert len(back.socket.sent) == 11


async def test_a_session_that_waits_is_let_go_when_its_client_does_not_come() -> None:
    async with linked(window=0.05) as link:
        await Carried(link).leave()
        await tell(link, *["x" * live_link.AHEAD] * 10)
        assert link.over


async def test_a_client_that_missed_more_than_is_kept_cannot_go_on() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        await tell(link, *["x" * 1024] * 4000)
        await first.leave()
        with pytest.raises(UnknownSession, match="missed more than is kept"):
            await link.carry(LinkSocket(), after(3))
        assert link.over


@pytest.mark.parametrize("place", [2, 1_000_000, -1, None])
async def test_a_place_that_no_client_can_be_at_ends_it(place: int | None) -> None:
    async with linked() as link:
        await Carried(link).leave()
        await tell(link, "a", "b")
        with pytest.raises(UnknownSession):
            await link.carry(LinkSocket(), lambda link: place)
        assert link.over


async def test_the_last_words_of_a_session_wait_for_its_client() -> None:
    async with linked() as link:
        await Carried(link).leave()
        await tell(link, "end")
        await link.close(1000, "done")
        link.finish()
        back = Carried(link, after(0))
        await settle()
        assert back.socket.sent == ["again 0 0", "end", 1000]
        await back.leave(1000)
        assert link.over


async def test_a_close_that_the_client_did_not_answer_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_link, "CLOSING", 0.05)
    async with linked() as link:
        first = Carried(link)
        await settle()
        await tell(link, "end")
        await link.close(1011, "over")
        link.finish()
        await asyncio.wait_for(first.task, 5)  # nothing came
        assert link.is_away
        back = Carried(link, after(0))
        await settle()
        assert back.socket.sent == ["again 0 0", "end", 1011]
        await back.leave(1011)  # its answer has our code
        assert link.over


async def test_a_session_that_failed_is_not_kept() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        link.finish()
        await asyncio.wait_for(first.task, 5)
        assert link.over and first.socket.sent == []


async def test_time_stands_still_while_the_client_is_away() -> None:
    async with linked() as link:
        first = Carried(link)
        began = await asyncio.wait_for(link.connected(), 5)
        await first.leave()
        waiting = asyncio.create_task(link.connected())
        await settle()
        assert not waiting.done()
        await asyncio.sleep(0.01)
        second = Carried(link, after(0))
        assert await asyncio.wait_for(waiting, 5) > began
        await second.leave(1000)
        await asyncio.wait_for(link.connected(), 5)


async def test_a_server_that_stops_keeps_nobody() -> None:
    async with linked() as away, linked() as here:
        await Carried(away).leave()
        one = Carried(here)
        await settle()
        away.stop()
        here.stop()
        assert away.over and not here.over
        await one.leave()
        assert here.over


async def test_the_first_messages_of_connections_are_places_too() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        await tell(link, "a", "b")
        await first.leave()
        second = Carried(link, after(1))
        await settle()

        def has(text: str) -> Place:
            def matches(message: Answer) -> bool:
                return message == text

            return lambda link: link.number_of(matches)

        assert has("b")(link) == 2 and has("again 0 1")(link) == 1 and has("again 9 9")(link) is None
        await second.leave()


async def test_a_thousand_cuts_leave_nothing() -> None:
    """Memory is bounded by what is kept, and an ended link is not referred to."""
    link = LiveLink(greet, WINDOW)
    connection = Carried(link)
    for number in range(1000):
        await tell(link, "x" * 5000)
        connection.socket.put("1")
        await link.receive()
        await connection.leave()
        connection = Carried(link, after(number + 1))
        await settle()
    assert link.received == 1000 and link.log.last == 1000
    assert link.log.size <= 2 * 1024 * 1024
    assert len(asyncio.all_tasks()) < 8
    await connection.leave(1000)
    gone = weakref.ref(link)
    del link, connection
    await settle()
    gc.collect()
    assert gone() is None


async def test_answers_are_said_at_once_and_in_order() -> None:
    async with linked() as link:
        first = Carried(link)
        assert link.add(["a", "b", Close(4000, "over"), "never"]) == 3
        assert link.application_state is WebSocketState.DISCONNECTED
        await settle()  # the connection is taken by a task of its own
        await asyncio.wait_for(link.delivered(3), 5)
        assert first.socket.sent == ["a", "b", 4000]


async def test_messages_wait_until_they_may_be_sent() -> None:
    async with linked() as link:
        may = asyncio.Event()

        async def wait(number: int) -> None:
            if number == 2:
                await may.wait()

        link.may_send = wait
        first = Carried(link)
        link.add(["a", "b", "c"])
        await settle()
        assert first.socket.sent == ["a"]
        may.set()
        await asyncio.wait_for(link.delivered(3), 5)
        assert first.socket.sent == ["a", "b", "c"]


async def test_a_session_that_another_server_has_closes_its_connection() -> None:
    async with linked() as link:
        first = Carried(link)
        await settle()
        link.replace()
        await asyncio.wait_for(first.task, 5)
        assert link.over and first.socket.sent == [4409]


async def test_it_goes_on_where_the_link_of_another_server_was() -> None:
    link = LiveLink(greet, WINDOW, 5, ReplayLog(sent=3, tail=("b", "c")))
    link.confirm(1)
    assert link.confirmed == 1
    link.add(["d"])
    first = Carried(link, after(2))
    await settle()
    assert first.socket.sent == ["again 5 2", "c", "d"]
    link.end()
    await settle()
