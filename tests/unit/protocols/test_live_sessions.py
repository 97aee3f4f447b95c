"""LiveSessions: whose session it is, how many are kept, and what is left when all is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from speechmlx.errors import BadRequest, SpeechError, UnknownSession
from speechmlx.key_file import NamedKey, digest
from speechmlx.protocols import live_sessions
from speechmlx.protocols.http.access_keys import KEY
from speechmlx.protocols.http.clients import Client as Holder
from speechmlx.protocols.http.clients import working_for
from speechmlx.protocols.live_link import LiveLink, Place
from speechmlx.protocols.live_sessions import LiveSessions, SessionName, place_in, without_keys
from speechmlx.protocols.safe_point import SafePoint
from speechmlx.protocols.safe_store import SafeStore
from speechmlx.protocols.session_keeper import Handover
from speechmlx.protocols.ws import ResumePoint


class Client:
    """A connection of a client: its query, its key's name and its secret."""

    def __init__(self, query: str = "", key: str = "", secret: str = "", path: str = "/v1/realtime") -> None:
        self.got: list[object] = []
        self.refused: list[SpeechError] = []
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        headers = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
        scope: dict[str, Any] = {"type": "websocket", "path": path, "headers": headers, "query_string": query.encode()}
        if key:
            scope[KEY] = NamedKey(key, digest(key), ("use",))
        self.socket = WebSocket(scope, self._inbox.get, self._take)

    def leave(self, code: int = 1006) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})

    async def refuse(self, error: SpeechError) -> None:
        self.refused.append(error)

    async def _take(self, message: Message) -> None:
        self.got.append(message.get("text", message["type"]))


def greet(point: ResumePoint) -> str:
    return "again"


async def talk(link: LiveLink) -> None:
    """A session that says hello and ends when its client has left for good."""
    await link.send_text("hello")
    await link.receive()


class Served:
    """Sessions, and the tasks that serve their connections."""

    def __init__(self, window: float = 5.0, limit: int = 4) -> None:
        self.sessions = LiveSessions(window, limit)
        self.places = 0

    async def begin(self, id: str, work: Callable[[LiveLink], Awaitable[None]] = talk, **of: Any) -> Client:
        """A session whose connection breaks at once."""
        client = Client(**of)
        await client.socket.accept()
        async with AsyncExitStack() as places:
            self.places += 1
            places.callback(self._free)
            serving = self.sessions.begin(client.socket, id, LiveLink(greet, self.sessions.window), work, places)
            client.leave()
            await asyncio.wait_for(serving, 5)
        return client

    async def resume(self, query: str, **of: str) -> Client:
        """A connection that goes on with a session, and breaks as soon as that has said something."""
        client = Client(query, **of)
        await client.socket.accept()
        serving = asyncio.create_task(self.sessions.resume(client.socket, client.refuse))
        await asyncio.sleep(0.02)
        client.leave()
        await asyncio.wait_for(serving, 5)
        return client

    def _free(self) -> None:
        self.places -= 1


async def test_a_session_outlives_its_connection_with_its_place() -> None:
    served = Served()
    await served.begin("s")
    assert (served.sessions.away, served.places) == (1, 1)
    client = await served.resume("session_id=s&received=0")
    assert client.got == ["websocket.accept", "again", "hello"] and not client.refused
    await served.sessions.close()
    assert (served.sessions.away, served.places) == (0, 0)


async def test_the_place_is_free_when_nobody_came_back() -> None:
    served = Served(window=0.05)
    await served.begin("s")
    assert served.places == 1
    async with asyncio.timeout(30):
        while served.places:
            await asyncio.sleep(0.01)
    client = await served.resume("session_id=s")
    assert [type(error) for error in client.refused] == [UnknownSession]


OWN = {"key": "laptop", "secret": "ek_1"}


@pytest.mark.parametrize(
    "other",
    [
        {"key": "guest", "secret": "ek_1"},
        {"key": "laptop", "secret": "ek_2"},
        {"key": "laptop"},
        {"secret": "ek_1"},
        {**OWN, "path": "/v1/listen"},
    ],
)
async def test_the_session_of_another_is_unknown(other: dict[str, str]) -> None:
    served = Served()
    await served.begin("s", talk, **OWN)
    client, unknown = await served.resume("session_id=s", **other), await served.resume("session_id=t", **OWN)
    assert str(client.refused[0]) == str(unknown.refused[0]) and client.got == ["websocket.accept"]
    assert not (await served.resume("session_id=s", **OWN)).refused
    await served.sessions.close()


async def test_without_keys_the_id_is_enough() -> None:
    """A client that has moved to another network has another address."""
    assert SessionName.of(Client().socket.scope, "s") == SessionName("s", "/v1/realtime", "")


async def test_only_so_many_clients_may_be_away() -> None:
    served = Served(limit=2)
    for id in ("a", "b", "c"):
        await served.begin(id)
    assert served.sessions.away == 2
    assert (await served.resume("session_id=a")).refused
    assert not (await served.resume("session_id=b")).refused
    await served.begin("d")  # c has been away longest now
    assert (await served.resume("session_id=c")).refused
    assert not (await served.resume("session_id=b")).refused
    await served.sessions.close()
    assert served.places == 0


async def test_who_keeps_most_makes_room() -> None:
    served = Served(limit=3)
    with working_for(Holder("laptop")):
        await served.begin("mine")
    with working_for(Holder("guest")):
        for id in ("a", "b", "c"):
            await served.begin(id)
    assert served.sessions.away == 3
    assert (await served.resume("session_id=a")).refused
    assert not (await served.resume("session_id=mine")).refused
    await served.sessions.close()


async def test_a_wrong_number_is_named() -> None:
    served = Served()
    await served.begin("s")
    client = await served.resume("session_id=s&received=-1")
    assert isinstance(client.refused[0], BadRequest) and "'received' must be the number" in str(client.refused[0])
    assert not (await served.resume("session_id=s&received=1")).refused
    await served.sessions.close()
    with pytest.raises(BadRequest, match="not '1\\.5'"):
        place_in({"received": "1.5"})


async def test_nothing_is_kept_without_a_window_or_when_the_server_stops() -> None:
    served = Served(window=0.0)
    await served.begin("s")
    assert served.places == 0 and (await served.resume("session_id=s")).refused
    stopping = Served()
    await stopping.begin("s")
    stopping.sessions.stop()
    await asyncio.sleep(0.02)
    assert stopping.places == 0 and (await stopping.resume("session_id=s")).refused


async def test_a_session_that_fails_is_logged_and_over(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(link: LiveLink) -> None:
        raise RuntimeError("broken")

    served = Served()
    await served.begin("s", fail)
    await asyncio.sleep(0)
    assert "a live session failed" in caplog.text and "broken" in caplog.text
    assert (served.places, served.sessions.away) == (0, 0)


async def test_what_a_client_asks() -> None:
    assert live_sessions.asks(Client("session_id=").socket) and not live_sessions.asks(Client("id=s").socket)


class Elsewhere:
    """Two servers that share a folder, and a session that the first one has recorded."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = (LiveSessions(5.0, 4, SafeStore(folder, 5.0)) for _ in range(2))
        self.handovers: list[Handover] = []
        self._folder = folder

    async def record(self, sent: int, tail: tuple[str, ...], confirmed: int = 0, **more: Any) -> None:
        point = SafePoint(query="", received=4, at=2.0, sent=sent, tail=tail, confirmed=confirmed, state={}, **more)
        name = SessionName.of(Client(**OWN).socket.scope, "s")
        assert SafeStore(self._folder, 5.0).slot(*name.parts).save(point.dump())

    async def resume(self, query: str, place: Place | None = None, **of: str) -> Client:
        client = Client(query, **(of or OWN))

        async def revive(handover: Handover) -> None:
            self.handovers.append(handover)

        await self.second.resume(client.socket, client.refuse, place=place, revive=revive)
        return client


@pytest.mark.parametrize(
    ("query", "number", "sent"),
    [
        ("received=7", 7, 9),  # it gets the last two again
        ("received=9", 9, 9),
        ("received=12", 12, 12),  # what was not for good is not in the record
        ("", 8, 9),  # from what is confirmed
    ],
)
async def test_another_server_goes_on_where_the_client_is(tmp_path: Path, query: str, number: int, sent: int) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, ("eight", "nine"), confirmed=8)
    client = await both.resume(f"session_id=s&{query}")
    (handover,) = both.handovers
    assert not client.refused
    assert (handover.number, handover.sent, handover.link.received) == (number, sent, 4)
    assert handover.link.log.last == sent


async def test_a_client_that_names_a_later_message_goes_on_after_the_record(tmp_path: Path) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, ("eight", "nine"), confirmed=7)
    await both.resume("session_id=s", place=lambda link: link.number_of(lambda message: message == "other"))
    assert both.handovers[0].number == 9


@pytest.mark.parametrize("place", [None, lambda link: link.number_of(lambda message: message == "other")])
async def test_a_client_that_missed_more_than_is_recorded_must_begin_anew(tmp_path: Path, place: Place | None) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, ("nine",), confirmed=3)
    client = await both.resume("session_id=s&received=5", place=place)
    assert [type(error) for error in client.refused] == [UnknownSession] and "missed" in str(client.refused[0])
    assert not both.handovers and not list(tmp_path.iterdir())


async def test_a_message_that_has_all_before_may_be_missed(tmp_path: Path) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, (), cumulative=True)
    await both.resume("session_id=s&received=5")
    assert (both.handovers[0].number, both.handovers[0].link.log.last) == (5, 5)


@pytest.mark.parametrize("other", [{"key": "guest", "secret": "ek_1"}, {"key": "laptop"}, {**OWN, "path": "/asr"}])
async def test_nobody_else_goes_on_with_a_session_of_another_server(tmp_path: Path, other: dict[str, str]) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, ())
    client = await both.resume("session_id=s&received=9", None, **other)
    assert [type(error) for error in client.refused] == [UnknownSession]
    assert not both.handovers
    await both.resume("session_id=s&received=9")
    assert both.handovers


async def test_a_server_that_stops_takes_nothing_over(tmp_path: Path) -> None:
    both = Elsewhere(tmp_path)
    await both.record(9, ())
    both.second.stop()
    client = await both.resume("session_id=s&received=9")
    assert client.refused and not both.handovers


def test_keys_are_not_in_the_query_that_is_recorded() -> None:
    assert (
        without_keys("language=en&token=secret&hotwords=a%2Cb&api_key=x&empty=") == "language=en&hotwords=a%2Cb&empty="
    )
