"""A conversation session that only transcribes: it has items for its client, and keeps a bounded number of them."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest
from support.scripted_input import ScriptedInput, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, conversation_session, events
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.settings import Answering, ResponseRequest, Settings, Transcription

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
        async with asyncio.timeout(5):
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
