"""SessionKeeper: what is written when, what waits for it, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.link_socket import LinkSocket

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.commands import (
    AddItem,
    Append,
    Cancel,
    Clear,
    Command,
    Commit,
    Configure,
    CreateResponse,
    DeleteItem,
    Finish,
    Mark,
    RetrieveItem,
)
from speechmlx.conversation.events import Event, Settled
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings
from speechmlx.protocols import session_keeper
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.safe_point import MAX_RECORD, MAX_TAIL, ClientMessages, Json, SafePoint
from speechmlx.protocols.safe_store import UNFINISHED, SafeStore
from speechmlx.protocols.session_keeper import SessionKeeper, WirePoint
from speechmlx.protocols.ws import Answer, Close, ResumePoint

PCM = AudioFormat("pcm16", 1000)
NAME = ("s", "/", "")
ASKS = CreateResponse(plan=ResponseRequest(answering=Answering()))


class Wire:
    """A wire that tells what the test says."""

    def __init__(self) -> None:
        self.told = 0
        self.size = 0
        self.possible = True
        self.once = False

    def receive(self, message: str | bytes) -> Sequence[Command]:
        return ()

    def send(self, event: Event) -> Sequence[Answer]:
        return ()

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        return ()

    def end(self) -> Sequence[Answer]:
        return ()

    def resume(self, point: ResumePoint) -> str:
        return "again"

    def point(self, settled: float) -> WirePoint | None:
        state = {"told": self.told, "large": "x" * self.size}
        return WirePoint(settled, state, once=self.once, shorten=lambda text: text[:1]) if self.possible else None

    def restore(self, state: Json, at: float, sent: int) -> None:
        self.told = state["told"]


class Kept:
    """A session that is kept, its client, and the files."""

    def __init__(self, folder: Path, skip: int = 0, done: int = 0, items: tuple[str, ...] = ()) -> None:
        self.wire = Wire()
        self.link = LiveLink(self.wire.resume, 5.0)
        self.folder = folder
        self.store = SafeStore(folder, 5.0)
        self.slot = self.store.slot(*NAME)
        begun = SafePoint(query="q", received=0, skip=skip, done=done, at=0.0, items=items, sent=0, state={})
        messages = ClientMessages(PCM, skip=skip)
        self.keeper = SessionKeeper(self.link, self.wire, self.store, self.slot, messages, begun)
        self.socket = LinkSocket()

    @property
    def record(self) -> SafePoint | None:
        with suppress(FileNotFoundError):  # it is removed just then
            whole = (file for file in self.folder.glob("*-*") if file.suffix != UNFINISHED)
            return next((SafePoint.load(file.read_bytes()) for file in whole), None)
        return None

    async def until_sent(self, number: int) -> None:
        async with asyncio.timeout(30):
            while len(self.socket.sent) < number:
                await asyncio.sleep(0.005)

    async def until_recorded(self, sent: int) -> SafePoint:
        async with asyncio.timeout(30):
            while (found := self.record) is None or found.sent < sent:
                await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def kept(folder: Path, skip: int = 0, done: int = 0, items: tuple[str, ...] = ()) -> AsyncIterator[Kept]:
    one = Kept(folder / "live", skip, done, items)
    carrying = asyncio.create_task(one.link.carry(one.socket))
    running = asyncio.create_task(one.keeper.run())
    try:
        yield one
    finally:
        running.cancel()
        carrying.cancel()
        await asyncio.gather(running, carrying, return_exceptions=True)
        await one.keeper.close()
        one.link.end()
        one.store.close()


async def test_what_is_told_for_good_waits_for_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kept(tmp_path) as one:
        await one.until_recorded(0)
        saving, save = asyncio.Event(), one.store.run

        async def late(*arguments: object, **named: object) -> object:
            await saving.wait()
            return await save(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(one.store, "run", late)
        assert await one.keeper.say(["perhaps"])
        one.wire.told = 1
        telling = asyncio.create_task(one.keeper.say(["surely", "and more"]))
        await asyncio.sleep(0.1)
        assert one.socket.sent == ["perhaps"] and not telling.done()
        saving.set()
        await one.until_sent(3)
        assert await telling
        record = one.record
        assert record is not None and record.sent == 3 and record.state["told"] == 1
        assert record.tail == ("perhaps", "surely", "and more")


async def test_a_disk_that_hangs_holds_words_for_a_moment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_keeper, "HELD", 0.05)
    async with kept(tmp_path) as one:
        await one.until_recorded(0)

        async def never(*arguments: object, **named: object) -> object:
            await asyncio.Event().wait()
            return None

        monkeypatch.setattr(one.store, "run", never)
        one.wire.told = 1
        assert await asyncio.wait_for(one.keeper.say(["surely"]), 5)
        assert one.socket.sent == ["surely"]
        monkeypatch.undo()


async def test_a_disk_that_is_full_ends_the_records_alone(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("no folder")
    async with kept(tmp_path) as one:
        await asyncio.sleep(0.3)
        one.wire.told = 1
        assert await asyncio.wait_for(one.keeper.say(["surely"]), 5)
        assert one.socket.sent == ["surely"]
        assert one.keeper.took([Append(audio=bytes(200))]) == [Append(audio=bytes(200))], "and asks for nothing"


async def test_the_messages_of_the_client_are_counted_and_marked(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        assert one.keeper.took([Append(audio=bytes(200))]) == [Append(audio=bytes(200)), Mark(number=1)]
        await asyncio.sleep(session_keeper.MARK_COMMAND)
        assert one.keeper.took([Append(audio=bytes(200))]) == [Append(audio=bytes(200))]
        assert one.keeper.took([Clear()]) == [Clear(), Mark(number=3)]
        one.keeper.settled(Settled(1, 0.15, ("item",)))
        one.wire.told = 1
        await one.keeper.say(["surely"])
        found = await one.until_recorded(1)
        assert (found.received, found.skip, found.at, found.items) == (1, 100, 0.15, ("item",))
        one.keeper.settled(Settled(3, 0.2))
        one.wire.told = 2
        await one.keeper.say(["surely"])
        found = await one.until_recorded(2)
        assert (found.received, found.skip, found.at, found.items) == (3, 0, 0.2, ())


async def test_audio_that_is_done_is_left_out(tmp_path: Path) -> None:
    async with kept(tmp_path, skip=300) as one:
        heard = [command for size in (200, 200, 200) for command in one.keeper.took([Append(audio=bytes(size))])]
        audio = [len(command.audio) for command in heard if isinstance(command, Append)]
        assert audio == [100, 200]


@pytest.mark.parametrize("size", [0, MAX_RECORD])
async def test_a_session_that_cannot_go_on_elsewhere_has_no_record(tmp_path: Path, size: int) -> None:
    """It had one before."""
    async with kept(tmp_path) as one:
        await one.until_recorded(0)
        one.wire.possible, one.wire.size, one.wire.told = bool(size), size, 1
        await asyncio.wait_for(one.keeper.say(["surely"]), 5)
        assert one.record is None and one.socket.sent == ["surely"]


async def test_a_container_ends_the_records(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        await one.until_recorded(0)
        one.keeper.took([Configure(settings=Settings(input=AudioFormat("container")))])
        one.wire.told = 1
        await asyncio.wait_for(one.keeper.say(["surely"]), 5)
        async with asyncio.timeout(30):
            while one.record is not None:
                await asyncio.sleep(0.01)


async def test_a_session_that_another_server_has_is_over_here(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        await one.until_recorded(0)
        assert SafeStore(one.folder, 5.0).take(*NAME) is not None
        one.wire.told = 1
        await asyncio.wait_for(one.keeper.say(["surely"]), 5)
        async with asyncio.timeout(30):
            while 4409 not in one.socket.sent:
                await asyncio.sleep(0.01)
        assert one.link.over


async def test_the_last_words_are_recorded_when_the_session_ends(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        one.wire.told = 1
        saying = asyncio.create_task(one.keeper.say(["surely"]))
        await asyncio.sleep(0)
        await one.keeper.close()
        assert await asyncio.wait_for(saying, 5)
        record = one.record
        assert record is not None and record.tail == ("surely",)


async def test_it_knows_whether_the_session_came_to_its_end(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        one.keeper.took([Append(audio=b"")])
        assert one.keeper.goes_on
        one.keeper.took([Finish()])
        assert not one.keeper.goes_on
    async with kept(tmp_path / "second") as one:
        assert not await one.keeper.say([Close(1011, "idle")])
        assert not one.keeper.goes_on


@pytest.mark.parametrize(("once", "done"), [(True, 4), (False, 0)])
async def test_the_record_says_which_commands_are_carried_out(tmp_path: Path, once: bool, done: int) -> None:
    async with kept(tmp_path) as one:
        one.wire.once = once
        one.keeper.took([Append(audio=bytes(200))])
        one.keeper.settled(Settled(4, 0.1))
        one.wire.told = 1
        await one.keeper.say(["surely"])
        assert (await one.until_recorded(1)).done == done


async def test_commands_that_are_carried_out_are_passed_over(tmp_path: Path) -> None:
    """Audio and what cuts it come again: they are behind the safe point."""
    item = Item(id="a")
    async with kept(tmp_path, done=7) as one:
        sent = [AddItem(item=item), Append(audio=bytes(2)), Commit(), Clear(), RetrieveItem(id="a"), Cancel(), ASKS]
        heard = [left for command in (*sent, DeleteItem(id="a")) for left in one.keeper.took([command])]
        left = [command for command in heard if not isinstance(command, Mark)]
        assert left == [Append(audio=bytes(2)), Commit(), Clear(), DeleteItem(id="a", number=8)]
        one.wire.once = True
        one.wire.told = 1
        await one.keeper.say(["surely"])
        assert (await one.until_recorded(1)).done == 7, "as long as the session is not further"


@pytest.mark.parametrize(
    ("items", "left"), [(("turn",), [Commit(ref="r")]), ((), [])], ids=["turn comes again", "it is done"]
)
async def test_a_response_that_committed_a_turn_commits_it_again(
    tmp_path: Path, items: tuple[str, ...], left: list[Command]
) -> None:
    asks = CreateResponse(plan=ASKS.plan, commits=True, ref="r")
    async with kept(tmp_path, done=1, items=items) as one:
        assert [command for command in one.keeper.took([asks]) if not isinstance(command, Mark)] == left


async def test_long_messages_of_the_record_are_shortened(tmp_path: Path) -> None:
    async with kept(tmp_path) as one:
        one.wire.told = 1
        await one.keeper.say(["a" * MAX_TAIL, "b", "c" * (MAX_TAIL // 2 - 1)])
        record = await one.until_recorded(3)
        assert record.tail == ("a", "b", "c" * (MAX_TAIL // 2 - 1))
