"""SessionKeeper: writes the safe points of a live session while it runs, so that another server can go on with it.

What a client is told for good is written before it is sent. So what comes again after a safe point was told by nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.websockets import WebSocketState

from speechmlx.conversation.commands import (
    Append,
    Clear,
    Command,
    Commit,
    Configure,
    CreateResponse,
    Finish,
    Mark,
    NumberedCommand,
)
from speechmlx.conversation.events import Settled
from speechmlx.protocols import ws
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.safe_point import MAX_RECORD, ClientMessages, Json, SafePoint, tail_of
from speechmlx.protocols.safe_store import SafeSlot, SafeStore

log = logging.getLogger(__name__)

PACE = 1.0
"""Seconds between two records, where nothing waits for them."""
FIRST = 0.1
"""Seconds from one look to the next whether there is a first safe point."""
TOUCH = 10.0
"""Seconds between two signs that a session lives which does not change."""
HELD = 0.5
"""Seconds that a message waits for its record, at most: a disk may hang."""
MARK_AUDIO, MARK_COMMAND = 0.25, 0.02
"""Seconds between two Marks, at least: after audio, and after another command."""


@dataclass(frozen=True)
class WirePoint:
    """What of the audio a wire has told for good: all before `at` seconds. `state` is what it needs to go on there.

    `cumulative`: see SafePoint. `once`: the state has what the client's commands did, so none is carried out again.
    `shorten` makes a message of the server shorter that is long ago.
    """

    at: float
    state: Json
    cumulative: bool = False
    once: bool = False
    shorten: Callable[[str], str] = str


class KeptWire(ws.Wire, Protocol):
    """A wire whose sessions another server can go on with."""

    @property
    def told(self) -> int:
        """Counts what was told for good: words that would come twice if they were told again."""

    def point(self, settled: float) -> WirePoint | None:
        """Where it is, if all turns before `settled` seconds are done; None: another server cannot go on from here."""

    def restore(self, state: Json, at: float, sent: int) -> None:
        """Go on, as a new wire, where another was: `at` seconds of audio, and after `sent` messages."""


@dataclass(frozen=True)
class Handover:
    """A session that another server began. `number`: of the last message that its client has."""

    point: SafePoint
    slot: SafeSlot
    link: LiveLink
    number: int

    @property
    def sent(self) -> int:
        """Number of the last message before the new ones."""
        return max(self.number, self.point.sent)


class SessionKeeper:
    """Keeps one session in `slot`. `messages` counts those of the client; the first `skip` bytes of audio are done."""

    def __init__(
        self,
        link: LiveLink,
        wire: KeptWire,
        store: SafeStore,
        slot: SafeSlot,
        messages: ClientMessages,
        begun: SafePoint,
    ) -> None:
        self.slot = slot
        self.link = link
        self.goes_on = True
        """Whether the session has not come to its own end."""
        self._wire = wire
        self._store = store
        self._messages = messages
        self._begun = begun
        self._skip = begun.skip
        """Bytes of audio to leave out."""
        self._settled = Settled(begun.received, begun.at, begun.items)
        self._told = wire.told
        self._held: list[int] = []
        """Numbers of messages that wait for a record, and with them those that follow."""
        self._released = asyncio.Event()
        self._wanted = asyncio.Event()
        self._off = False
        """Whether no record is written any more."""
        self._possible = True
        """Whether there can be safe points."""
        self._marked = 0.0
        self._last: SafePoint | None = None
        link.may_send = self._may_send

    # --- what the pump tells ---

    def took(self, commands: Sequence[Command]) -> list[Command]:
        """The commands of the next message of the client → those for the session."""
        audio = sum(len(command.audio) for command in commands if isinstance(command, Append))
        others = [command for command in commands if not isinstance(command, Append)]
        for one in others:
            if isinstance(one, Configure) and one.settings.input != self._messages.format:
                self._possible = self._possible and self._messages.change_format(one.settings.input)
            self.goes_on = self.goes_on and not isinstance(one, Finish)
        self._messages.add(audio, bool(others))
        now = asyncio.get_running_loop().time()
        wanted = [left for command in commands if (left := self._left(command)) is not None]
        if not self._off and now - self._marked >= (MARK_COMMAND if others else MARK_AUDIO):
            self._marked = now
            wanted.append(Mark(number=self._messages.number))
        return wanted

    def settled(self, event: Settled) -> None:
        """The session tells what is done."""
        self._settled = event
        self._messages.carried_out(event.number)

    async def say(self, answers: Sequence[ws.Answer]) -> bool:
        """Send answers that the wire has just given. False: the socket is closed."""
        link, told = self.link, self._wire.told
        first = link.log.last + 1
        if answers:
            last = link.add(answers)
            self.goes_on = self.goes_on and not isinstance(answers[-1], ws.Close)
            if told != self._told and self._possible and not self._off and last >= first:
                self._held.append(first)
                self._wanted.set()
            self._told = told
            await link.delivered(last)
        return link.application_state is WebSocketState.CONNECTED

    def _left(self, command: Command) -> Command | None:
        """The command without audio that is done already; None: nothing of it is left."""
        number = self._messages.number
        if number <= self._begun.done and not isinstance(command, Append | Commit | Clear):
            again = isinstance(command, CreateResponse) and command.commits and self._begun.items
            return Commit(ref=command.ref) if again else None
        if isinstance(command, NumberedCommand) and not self._off:
            return replace(command, number=number)
        if not isinstance(command, Append) or not self._skip:
            return command
        done = min(self._skip, len(command.audio))
        self._skip -= done
        return replace(command, audio=command.audio[done:]) if done < len(command.audio) else None

    # --- records ---

    async def run(self) -> None:
        """Write records. Ends when another server has taken the session, which is over here then."""
        clock = asyncio.get_running_loop()
        touched = clock.time()
        while True:
            try:
                async with asyncio.timeout(FIRST if self._last is None else PACE):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            if self._off:
                continue
            point = self._point()
            if self._held or point != self._last or clock.time() - touched >= TOUCH:
                touched = clock.time()
                if not await self._write(point):
                    self._stop()
                    self.link.replace()
                    return

    async def close(self) -> None:
        """The session has ended: write what waits for that."""
        if self._held and not self._off:
            await self._write(self._point())
        self._stop()

    def _point(self) -> SafePoint | None:
        """The safe point of this moment."""
        found = self._wire.point(self._settled.at) if self._possible else None
        if found is None:
            return None
        received, skip, at = self._messages.point(found.at)
        link = self.link
        return replace(
            self._begun,
            received=received,
            skip=skip,
            at=at,
            done=max(self._begun.done, self._settled.number) if found.once else 0,
            items=self._settled.items,
            sent=link.log.last,
            confirmed=link.confirmed,
            tail=tail_of(tuple(link.log.kept), found.shorten),
            state=found.state,
            cumulative=found.cumulative,
        )

    async def _write(self, point: SafePoint | None) -> bool:
        """Write a record. False: another server has the session."""
        try:
            mine = await self._store.run(self._put, point, point == self._last)
        except OSError as error:
            log.warning("a live session goes on, but no other server can go on with it: %s", error)
            self._stop()
            return True
        self._last = point
        self._held = [] if point is None else [number for number in self._held if number > point.sent]
        self._release()
        return mine

    def _put(self, point: SafePoint | None, is_same: bool) -> bool:
        """Bring the file to a point. Blocks."""
        if is_same:
            return self.slot.hold()
        record = b"" if point is None else point.dump()
        if 0 < len(record) <= MAX_RECORD:
            return self.slot.save(record)
        self.slot.clear()
        return True

    def _stop(self) -> None:
        """Write no more records."""
        self._off = True
        self._held.clear()
        self._release()

    async def _may_send(self, number: int) -> None:
        """Wait until the message may be sent."""
        try:
            async with asyncio.timeout(HELD):
                while self._held and number >= self._held[0]:
                    await self._released.wait()
        except TimeoutError:
            log.warning("a live session does not wait for its record any more: the disk is slow")
            self._held.clear()

    def _release(self) -> None:
        released, self._released = self._released, asyncio.Event()
        released.set()
