"""The live sessions of a server: each runs in a task of its own, so that it outlives a connection that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope
from starlette.websockets import WebSocket

from speechmlx.errors import BadRequest, SpeechError, UnknownSession
from speechmlx.key_file import digest
from speechmlx.protocols.http.access_keys import KEY, QUERY, offered_keys
from speechmlx.protocols.http.clients import current_client
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.request_id import add_log_note

if TYPE_CHECKING:  # what it imports makes the start slow
    from speechmlx.audio.live_format import AudioFormat
    from speechmlx.protocols.live_link import LiveLink, Place
    from speechmlx.protocols.safe_point import SafePoint
    from speechmlx.protocols.safe_store import SafeStore
    from speechmlx.protocols.session_keeper import Handover, KeptWire, SessionKeeper

log = logging.getLogger(__name__)

ID, RECEIVED = "session_id", "received"
"""Query parameters of a client that comes back: which session, and how many of its messages the client has."""
HEADER = b"x-session-id"
"""Header of a handshake's answer: the id of the session that begins."""
UNKNOWN = "no such session is kept here: it has ended, or is another client's, or its time is over; begin a new one"
SWEEP = 60.0
"""Seconds between two looks for records that nobody needs."""
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

    @property
    def parts(self) -> tuple[str, str, str]:
        """All of it."""
        return self.id, self.path, self.owner


class LiveSessions:
    """The sessions by name. `window`: seconds that one is kept for its client.

    At most `limit` wait for their client. Over it one ends of who has most of them: a key, an address or this machine.
    `store`: where other servers find what they need to go on with a session. None: they do not.
    """

    def __init__(self, window: float, limit: int, store: SafeStore | None = None) -> None:
        self.window = window
        self._store = store if window else None
        self._keepers: dict[SessionName, SessionKeeper] = {}
        self._stopping = False
        self._swept = float("-inf")
        self._limit = limit
        self._links: dict[SessionName, LiveLink] = {}
        """Those whose client was away last are last."""
        self._holders: dict[SessionName, str] = {}
        self._running: set[asyncio.Task[object]] = set()

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
        handover: Handover | None = None,
    ) -> None:
        """Run `work` on `link`, whose first connection is the accepted `socket`, until it is over or has broken.

        `places` is taken over, and closed when the work has ended. `handover`: another server has begun the session.
        """
        name = SessionName.of(socket.scope, id)
        client = current_client()
        self._links[name], self._holders[name] = link, client.name if client is not None else ""
        link.on_change = lambda: self._changed(name, link)
        self._sweep()
        task = self._run(self._work(link, work, places.pop_all()))
        try:
            await link.carry(socket, None if handover is None else lambda link: handover.number)
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
        revive: Callable[[Handover], Awaitable[None]] | None = None,
    ) -> None:
        """Join `socket` to the session that its query names, until one of them ends.

        `refuse` tells the client that there is none, before `accept` or after it; None: the socket is accepted already.
        `place` knows where the client is; None: its query says it. `revive` begins a session where another server was;
        None: the wire has no such sessions.
        """
        try:
            place = place or place_in(socket.query_params)
            link = await self._find(socket)
            handover = None if link is not None or revive is None else await self._take_over(socket, place)
            if link is None and handover is None:
                add_log_note(socket.scope, "refused: no such session")
                raise UnknownSession(UNKNOWN)
        except SpeechError as error:
            await refuse(error)
            return
        if accept is not None:
            await accept()
        try:
            if link is not None:
                add_log_note(socket.scope, "goes on with its session")
                await link.carry(socket, place)
            elif handover is not None and revive is not None:
                add_log_note(socket.scope, "goes on with a session of another server")
                link = handover.link
                await revive(handover)
        except SpeechError as error:
            await refuse(error)
        assert link is not None
        if link.is_away:
            add_log_note(socket.scope, f"its session is kept for {self.window:g} s")

    def keeper(
        self,
        socket: WebSocket,
        id: str,
        link: LiveLink,
        wire: KeptWire,
        format: AudioFormat,
        handover: Handover | None = None,
        opening: Mapping[str, Any] | None = None,
    ) -> SessionKeeper | None:
        """Who keeps the session `id` for other servers; None: nobody does. `format` is that of its audio.

        `opening`: what `revive` needs besides the query. Ask for it before `begin`.
        """
        if self._store is None or self._stopping or (handover is None and format.encoding == "container"):
            return None
        from speechmlx.protocols.safe_point import ClientMessages, SafePoint
        from speechmlx.protocols.session_keeper import SessionKeeper

        name = SessionName.of(socket.scope, id)
        if handover is not None:
            begun, slot = handover.point, handover.slot
        else:
            query = without_keys(socket.scope["query_string"].decode("latin-1"))
            begun = SafePoint(
                query=query, opening=dict(opening or {}), received=link.received, at=0.0, sent=0, state={}
            )
            slot = self._store.slot(*name.parts)
        messages = ClientMessages(format, begun.received, begun.at, begun.skip)
        keeper = self._keepers[name] = SessionKeeper(link, wire, self._store, slot, messages, begun)
        return keeper

    def stop(self) -> None:
        """The server stops: end the sessions whose client is away, and keep none any more. Other servers may."""
        self.window = 0.0
        self._stopping = True
        for link in list(self._links.values()):
            link.stop()

    async def close(self) -> None:
        """End every session."""
        self.stop()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*self._running, return_exceptions=True)  # what removes records
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    async def _find(self, socket: WebSocket) -> LiveLink | None:
        """The link of the session that the query names; None: it is not here, or another server has it by now."""
        name = SessionName.of(socket.scope, socket.query_params[ID])
        link, keeper = self._links.get(name), self._keepers.get(name)
        if not self.window or link is None:
            return None
        if self._store is not None and keeper is not None:
            with contextlib.suppress(OSError):
                if not await self._store.run(keeper.slot.hold):
                    link.replace()
                    return None
        return link

    @after_import("speechmlx.protocols.session_keeper")
    async def _take_over(self, socket: WebSocket, place: Place) -> Handover | None:
        """The session of another server that the query names, if there is one. Raises UnknownSession."""
        if self._store is None or self._stopping:
            return None
        name = SessionName.of(socket.scope, socket.query_params[ID])
        taken = await self._store.run(self._store.take, *name.parts)
        if taken is None:
            return None
        from speechmlx.protocols.live_link import MISSED
        from speechmlx.protocols.session_keeper import Handover

        point, slot = taken
        link = link_of(point, self.window)
        number = place(link)
        if number is None and point.sent - len(point.tail) <= point.confirmed:
            number = point.sent  # the client names a later message: it has all that it got for good
        has_missed = number is None or number < point.sent - len(point.tail)
        if number is None or (has_missed and not point.cumulative):
            await self._store.run(slot.close)
            raise UnknownSession(MISSED)
        if number > point.sent or has_missed:
            link.log.skip_to(number)
        return Handover(point, slot, link, number)

    def _run(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _sweep(self) -> None:
        """Forget the records that nobody needs, now and then."""
        now = time.monotonic()
        if self._store is not None and now - self._swept > SWEEP:
            self._swept = now
            self._run(self._tidy(self._store.sweep))

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
        if self._links.get(name) is link:
            del self._links[name]
        if link.over:
            self._holders.pop(name, None)
            self._let_go(name, link)
            return
        self._links[name] = link
        away = [one for one in self._links if self._links[one].is_away]
        if len(away) > self._limit:
            ((most, _),) = Counter(self._holders[one] for one in away).most_common(1)
            self._links[next(one for one in away if self._holders[one] == most)].end()

    def _let_go(self, name: SessionName, link: LiveLink) -> None:
        """A session is over here: nobody else goes on with it either, unless the server stops under it."""
        keeper = self._keepers.get(name)
        if keeper is None or self._store is None or keeper.link is not link:
            return
        del self._keepers[name]
        self._run(self._tidy(partial(keeper.slot.close, not (self._stopping and keeper.goes_on))))

    async def _tidy(self, work: Callable[[], None]) -> None:
        """Remove records. Those that cannot be removed are forgotten by their age."""
        if self._store is not None:
            with contextlib.suppress(OSError):
                await self._store.run(work)


def link_of(point: SafePoint, window: float) -> LiveLink:
    """The client's side of a session that another server has begun. Its first message is not known yet."""
    from speechmlx.protocols.live_link import LiveLink
    from speechmlx.protocols.replay_log import ReplayLog

    link = LiveLink(lambda point: "", window, point.received, ReplayLog(sent=point.sent, tail=point.tail))
    link.confirm(point.confirmed)
    return link


def without_keys(query: str) -> str:
    """A query without API keys."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name not in QUERY])


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
