"""A conversation that goes on where another server was: its items, what is told first, and turns that come again."""

from __future__ import annotations

import asyncio

import pytest
from support.scripted_input import ScriptedInput, speech

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.conversation_start import NEW, ConversationStart
from speechmlx.conversation.input.buffer import BEGINNING, InputStart
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.errors import EngineLost

FORMAT = AudioFormat("float32", 16000)
SETTINGS = Settings(transcribes_only=True, input=FORMAT, turns=None, transcription=Transcription())
TURN = (commands.Append(audio=FORMAT.encode(speech(0.5))), commands.Commit())
HEARD = Item(id="heard", parts=(Part("audio", None, seconds=0.5),))
LATER = Item(id="later", parts=(Part("text", "and more"),))


async def events_of(
    *sent: commands.Command, begun: ConversationStart = NEW, start: InputStart = BEGINNING
) -> list[events.Event]:
    """What a session emits for these commands, up to its end."""
    async with ConversationSession(ScriptedInput(), SETTINGS, start=start, begun=begun) as session:
        for command in (*sent, commands.Finish()):
            await session.send(command)
        async with asyncio.timeout(30):
            return [event async for event in session.events()]


async def test_what_ended_is_told_first_and_the_items_are_known() -> None:
    lost = events.TranscriptFailed("gone", EngineLost("lost"))
    found = await events_of(
        commands.RetrieveItem(id="later"),
        commands.AddItem(item=Item(id="new"), after="later"),
        begun=ConversationStart((HEARD, LATER), (lost,)),
    )
    assert found[:2] == [lost, events.ItemRetrieved(LATER)]
    assert events.ItemAdded(Item(id="new"), "later") in found


async def test_a_turn_that_comes_again_keeps_its_place() -> None:
    begun = ConversationStart((HEARD, LATER))
    found = await events_of(
        *TURN, commands.RetrieveItem(id="heard"), *TURN, begun=begun, start=InputStart(0.0, ("heard",))
    )
    committed = [event for event in found if isinstance(event, events.Committed)]
    assert committed[0] == events.Committed("heard", None)
    assert committed[1].item != "heard" and committed[1].before == "later"
    assert next(event.item for event in found if isinstance(event, events.TranscriptDone)) == "heard"


@pytest.mark.parametrize(("number", "told"), [(7, [7]), (0, [])])
async def test_settled_tells_the_number_right_before_the_event(number: int, told: list[int]) -> None:
    found = await events_of(
        commands.AddItem(item=LATER, number=number),
        commands.DeleteItem(id="later", number=number and number + 1),
    )
    settled = [place for place, event in enumerate(found) if isinstance(event, events.Settled)]
    assert [found[place + 1] for place in settled] == (
        [events.ItemAdded(LATER, None), events.ItemDeleted("later")] if told else []
    )
    assert [event.number for event in found if isinstance(event, events.Settled)] == ([7, 8] if told else [])


async def test_a_recording_of_the_client_is_no_turn_that_comes_again() -> None:
    audio = Item(id="sent", parts=(Part("audio", None, b"\1\0" * 8000, 16000, 0.5),))
    found = await events_of(commands.AddItem(item=audio), commands.Mark(number=2), commands.Mark(number=3))
    assert [(event.items) for event in found if isinstance(event, events.Settled)][:2] == [(), ()]
