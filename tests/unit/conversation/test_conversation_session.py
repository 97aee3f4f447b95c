"""A conversation session that only transcribes: it has items for its client, and keeps a bounded number of them."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from dataclasses import replace
from typing import TypeVar

import pytest
from support.scripted_input import ScriptedInput, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import to_pcm16
from speechmlx.conversation import commands, conversation_session, events
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.input.transcription import TurnTranscription
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.session import LARGE, MAX_PENDING, MAX_WAITING
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings, Transcription, TurnTaking
from speechmlx.types import Audio

E = TypeVar("E")
FORMAT = AudioFormat("float32", 16000)
SETTINGS = Settings(transcribes_only=True, input=FORMAT, turns=None, transcription=Transcription())
TURN = (commands.Append(audio=FORMAT.encode(speech(0.5))), commands.Commit())


async def events_of(*sent: commands.Command) -> list[events.Event]:
    """What a session emits for these commands, up to its end."""
    found: list[events.Event] = []
    async with ConversationSession(ScriptedInput(), SETTINGS) as session:
        for command in (*sent, commands.Finish()):
            await session.send(command)
        async with asyncio.timeout(30):
            async for event in session.events():
                found.append(event)
    return found


def of(found: list[events.Event], kind: type[E]) -> list[E]:
    return [event for event in found if isinstance(event, kind)]


def message(id: str) -> commands.AddItem:
    return commands.AddItem(item=Item(id=id, parts=(Part("text", "hello"),)))


async def test_the_oldest_items_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_session, "MAX_RECORD", 2)
    found = await events_of(*TURN, *TURN, message("c"), commands.RetrieveItem(id="c"), *TURN, *TURN, message("c"))
    turns = [event.item for event in of(found, events.Committed)]
    previous = [event.before for event in of(found, events.Committed)]
    assert previous == [None, turns[0], "c", turns[2]]
    assert len(of(found, events.ItemRetrieved)) == 1
    assert not of(found, events.Failed)
    assert len(of(found, events.TranscriptDone)) == 4


async def test_it_answers_nothing() -> None:
    respond = commands.CreateResponse(plan=ResponseRequest(answering=Answering()))
    found = await events_of(
        *TURN, respond, commands.Cancel(), commands.RetrieveItem(id="x"), commands.DeleteItem(id="x")
    )
    codes = [event.code for event in of(found, events.Failed)]
    assert codes == ["transcribes_only", "no_active_response", "no_such_item", "no_such_item"]
    assert [event.transcript.text for event in of(found, events.TranscriptDone)] == ["w1"]


async def test_items_to_recognise_and_commits_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them were a thousand jobs before those of anybody else."""
    pending, most, finish = 0, 0, TurnTranscription.finish

    async def counted(self: TurnTranscription, audio: Audio) -> Transcript:
        nonlocal pending, most
        pending += 1
        most = max(most, pending)
        await asyncio.sleep(0.002)
        pending -= 1
        return await finish(self, audio)

    monkeypatch.setattr(TurnTranscription, "finish", counted)
    recording = Part("audio", None, to_pcm16(speech(0.5)), 16000, 0.5)
    items = [commands.AddItem(item=Item(id=f"item {number}", parts=(recording,))) for number in range(30)]
    turns = [command for _ in range(30) for command in TURN]
    found = await events_of(*items, *turns)
    assert len(of(found, events.TranscriptDone)) == 60
    assert MAX_PENDING <= most <= MAX_PENDING + 1


async def test_a_large_message_waits_until_its_client_has_read() -> None:
    async with ConversationSession(ScriptedInput(), SETTINGS) as session:
        for number in range(3):
            added = message(str(number))
            await session.send(replace(added, nbytes=LARGE + 1))
        await asyncio.sleep(0.01)
        assert session._queue.waiting == 1
        reading = session.events()
        assert [(await anext(reading)).item.id for _ in range(3)] == ["0", "1", "2"]  # type: ignore[union-attr]


async def test_large_commands_fill_the_queue_as_their_messages_do() -> None:
    session = ConversationSession(ScriptedInput(), SETTINGS)
    await session.send(replace(message("a"), nbytes=MAX_WAITING))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await session.send(message("b"))


@pytest.mark.parametrize(
    "settings", [SETTINGS, replace(SETTINGS, transcribes_only=False), replace(SETTINGS, turns=TurnTaking())]
)
async def test_a_closed_session_holds_nothing_large(settings: Settings) -> None:
    """Not even until the collector comes, which may be hours."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(2):  # what the first one imports stays
            before, _ = tracemalloc.get_traced_memory()
            session = ConversationSession(ScriptedInput(), settings)
            async with session:
                for number in range(4):
                    part = Part("audio", "word", bytes(2_000_000), 16000, 62.5)
                    item = Item(id=str(number), parts=(part, Part("text", str(number) * 1_000_000)))
                    await session.send(commands.AddItem(item=item))
                    await session.send(commands.Append(audio=FORMAT.encode(speech(20.0))))
                await asyncio.sleep(0.05)
                held = tracemalloc.get_traced_memory()[0] - before
                del part, item
            await asyncio.sleep(0.01)
            left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held > 12_000_000
    assert left < 1_500_000
