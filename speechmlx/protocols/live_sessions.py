"""The live sessions of a server: each runs in a task of its own, so that it outlives a connection that breaks."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import Scope
from starlette.websockets import WebSocket

from speechmlx.errors import BadRequest, SpeechError, UnknownSession
from speechmlx.key_file import digest
from speechmlx.protocols.http.access_keys import KEY, offered_keys
from speechmlx.protocols.http.clients import current_client
from speechmlx.protocols.http.request_id import add_log_note

if TYPE_CHECKING:  # what it imports makes the start slow
    from speechmlx.protocols.live_link import LiveLink, Place

log = logging.getLogger(__name__)

ID, RECEIVED = "session_id", "received"
"""Query parameters of a client that comes back: which session, and how many of its messages the client has."""
HEADER = b"x-session-id"
"""Header of a handshake's answer: the id of the session that begins."""
UNKNOWN = "no such session is kept here: it has ended, or is another client's, or its time is over; begin a new one"
SECRET = "ek_"
"""What client secrets begin with."""


@dataclass(frozen=True)
class SessionName:
    """Which session it is: its id, the path of its wire, and whose it is."""

    id: str
    path: str
    owner: str

    @classmethod
    def of(cls, scope: Scope, id: str) -> SessionName:
        """The name of the session `id` of a handshake's client: of its key, and of its client secret if it has one.

        Where no key is needed the id alone is what a client must know: its address may change on the way.
        """
        key = scope.get(KEY)
        secrets = [digest(offered) for offered in offered_keys(scope) if offered.startswith(SECRET)]
        return cls(id, scope["path"], " ".join([key.name if key is not None else "", *secrets[:1]]))


class LiveSessions:
    """The sessions by name. `window`: seconds that one is kept for its client.

    At most `limit` wait for their client. Over it one ends of who has most of them: a key, an address or this machine.
    """

    def __init__(self, window: float, limit: int) -> None:
        self.window = window
        self._limit = limit
        self._links: dict[SessionName, LiveLink] = {}
        """Those whose client was away last are last."""
        self._holders: dict[SessionName, str] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def away(self) -> int:
        """How many sessions wait for their client."""
        return sum(link.is_away for link in self._links.values())

    async def begin(
        self,
        socket: WebSocket,
        id: str,
        link: LiveLink,
        work: Callable[[LiveLink], Awaitable[None]],
        places: AsyncExitStack,
    ) -> None:
        """Run `work` on `link`, whose first connection is the accepted `socket`, until it is over or has broken.

        `places` is taken over, and closed when the work has ended.
        """
        name = SessionName.of(socket.scope, id)
        client = current_client()
        self._links[name], self._holders[name] = link, client.name if client is not None else ""
        link.on_change = lambda: self._changed(name, link)
        task = asyncio.create_task(self._work(link, work, places.pop_all()))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            await link.carry(socket)
        finally:
            if link.is_away:
                add_log_note(socket.scope, f"its session is kept for {self.window:g} s")
        if link.over:
            await asyncio.wait({task})

    async def resume(
        self,
        socket: WebSocket,
        refuse: Callable[[SpeechError], Awaitable[None]],
        accept: Callable[[], Awaitable[None]] | None = None,
        place: Place | None = None,
    ) -> None:
        """Join `socket` to the session that its query names, until one of them ends.

        `refuse` tells the client that there is none, before `accept` or after it; None: the socket is accepted already.
        `place` knows where the client is; None: its query says it.
        """
        try:
            link, place = self._find(socket), place or place_in(socket.query_params)
        except SpeechError as error:
            await refuse(error)
            return
        if accept is not None:
            await accept()
        add_log_note(socket.scope, "goes on with its session")
        try:
            await link.carry(socket, place)
        except UnknownSession as error:
            await refuse(error)
        if link.is_away:
            add_log_note(socket.scope, f"its session is kept for {self.window:g} s")

    def stop(self) -> None:
        """The server stops: end the sessions whose client is away, and keep none any more."""
        self.window = 0.0
        for link in list(self._links.values()):
            link.stop()

    async def close(self) -> None:
        """End every session."""
        self.stop()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _find(self, socket: WebSocket) -> LiveLink:
        name = SessionName.of(socket.scope, socket.query_params[ID])
        if not self.window or name not in self._links:
            add_log_note(socket.scope, "refused: no such session")
            raise UnknownSession(UNKNOWN)
        return self._links[name]

    async def _work(self, link: LiveLink, work: Callable[[LiveLink], Awaitable[None]], places: AsyncExitStack) -> None:
        async with places:
            try:
                await work(link)
            except Exception:
                log.exception("a live session failed")
            finally:
                link.finish()

    def _changed(self, name: SessionName, link: LiveLink) -> None:
        """Forget a session that is over. Among too many, that of the client which has been away longest ends."""
        self._links.pop(name, None)
        if link.over:
            del self._holders[name]
            return
        self._links[name] = link
        away = [one for one in self._links if self._links[one].is_away]
        if len(away) > self._limit:
            ((most, _),) = Counter(self._holders[one] for one in away).most_common(1)
            self._links[next(one for one in away if self._holders[one] == most)].end()


def asks(socket: WebSocket) -> bool:
    """Whether the client wants to go on with a session."""
    return ID in socket.query_params


def header(id: str) -> tuple[bytes, bytes]:
    """The header that tells the client the id of its session."""
    return HEADER, id.encode()


def place_in(query: Mapping[str, str]) -> Place:
    """Where the client is: what it says, else what its end has confirmed. Raises BadRequest."""
    said = query.get(RECEIVED)
    if said is None:
        return lambda link: link.confirmed
    if not re.fullmatch(r"\d{1,12}", said):
        raise BadRequest(f"'{RECEIVED}' must be the number of messages that the client has got, not {said!r:.40}")
    return lambda link: int(said)
