"""What a model says that hears and speaks at once, as responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from support.scripted_duplex import RATE, tone

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import Event, OutputAudio, OutputText, Response, ResponseDone
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.response.duplex_voice import DuplexVoice
from speechmlx.conversation.settings import Answering
from speechmlx.errors import EngineLost
from speechmlx.types import Chunk, TextDelta

TEXT, VOICE, QUIET = TextDelta("word "), Chunk(tone(1), RATE), Chunk(tone(1, 0), RATE)


@dataclass
class Bench:
    queue: EventQueue = field(default_factory=EventQueue)
    conversation: Conversation = field(default_factory=Conversation)

    def __post_init__(self) -> None:
        self.voice = DuplexVoice(self.queue, self.conversation, Clock(lambda: 0.0))
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> list[Event]:
        return [event async for event in self.queue]

    async def say(self, *events: TextDelta | Chunk) -> None:
        for event in events:
            await self.voice.say(event, Answering())

    async def told(self) -> list[Event]:
        """Every event, once nothing runs any more."""
        await self.voice.finished()
        self.queue.end()
        return await self.reading

    async def responses(self) -> list[Response]:
        return [event.response for event in await self.told() if isinstance(event, ResponseDone)]


async def test_silence_is_not_given_out() -> None:
    bench = Bench()
    await bench.say(*[QUIET] * 40)
    assert bench.voice.response is None and await bench.told() == []


async def test_two_utterances_are_two_responses_one_after_the_other() -> None:
    bench = Bench()
    for _ in range(2):
        await bench.say(TEXT, VOICE, *[QUIET] * 20)
    told = await bench.told()
    done = [event.response for event in told if isinstance(event, ResponseDone)]
    assert [one.status for one in done] == ["completed", "completed"]
    assert [one.cost.audio_in for one in done if one.cost] == [0.0, pytest.approx(21 * 0.08)]
    assert sum(isinstance(event, OutputAudio) for event in told) == 32
    assert [item.text for item in bench.conversation.items] == ["word ", "word "]


async def test_what_is_said_after_a_cancel_is_not_given_out_until_it_begins_anew() -> None:
    bench = Bench()
    await bench.say(TEXT, VOICE)
    bench.voice.cancel("client_cancelled")
    assert bench.voice.response is None
    await bench.say(TEXT, VOICE, *[QUIET] * 15, TEXT, *[QUIET] * 15)
    told = await bench.told()
    assert [event.response.status for event in told if isinstance(event, ResponseDone)] == ["cancelled", "completed"]
    assert sum(isinstance(event, OutputText) for event in told) == 1


async def test_the_end_of_the_model_ends_the_response() -> None:
    for error, status in ((None, "completed"), (EngineLost("gone"), "failed")):
        bench = Bench()
        assert not bench.voice.end(error)
        await bench.say(TEXT, VOICE)
        assert bench.voice.end(error)
        (response,) = await bench.responses()
        assert (response.status, response.error) == (status, error)


async def test_close_tells_nothing() -> None:
    bench = Bench()
    await bench.say(TEXT, VOICE)
    await bench.voice.close()
    assert not await bench.responses()
