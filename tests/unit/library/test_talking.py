"""A conversation of the library: its events, what is written into it, and its history."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import pytest
from support.fake_engines import FakeJob
from support.scripted_input import RATE, ScriptedInput, silence, speech

from speechmlx.conversation import events
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.settings import Answering, Settings, Transcription
from speechmlx.errors import BadRequest
from speechmlx.library import talking
from speechmlx.library.talking import AsyncTalk
from speechmlx.types import Generate, TextDelta, Usage

E = TypeVar("E")
SETTINGS = Settings(transcription=Transcription(words=True), answering=Answering(spoken=False))


def write(request: Generate) -> Any:
    """A language model that repeats the question."""
    return FakeJob(request, [TextDelta(f"You said {request.messages[-1].content}."), Usage()])


class Bench:
    def __init__(self, model: LanguageModel = write) -> None:
        self.model = model
        self.events: list[events.Event] = []
        self.talk = AsyncTalk(self.open_session, lambda talk: None)

    async def open_session(self) -> tuple[ConversationSession, float]:
        return ConversationSession(ScriptedInput(), SETTINGS, self.model), 0.0

    @property
    def unread(self) -> float:
        assert self.talk._session is not None
        return self.talk._session.unread

    async def until(self, kind: type[E]) -> E:
        async with asyncio.timeout(10):
            async for event in self.talk:
                self.events.append(event)
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"no {kind.__name__}")


async def test_a_turn_is_answered_and_both_are_in_the_history() -> None:
    bench = Bench()
    async with bench.talk as talk:
        await talk.feed(speech(1.0), RATE)
        await talk.feed(silence(1.0), RATE)
        response = await bench.until(events.ResponseDone)
        history = talk.history
    kinds = [type(event) for event in bench.events]
    assert kinds.index(events.SpeechStarted) < kinds.index(events.TranscriptDone) < kinds.index(events.OutputText)
    assert response.response.status == "completed" and events.Configured not in kinds
    assert [(item.role, item.text) for item in history] == [("user", "w1 w2"), ("assistant", "You said w1 w2.")]


async def test_what_is_written_is_answered_and_the_end_comes_after_it() -> None:
    bench = Bench()
    async with bench.talk as talk:
        await talk.say("hello")
        await talk.finish()
        async with asyncio.timeout(10):
            found = [event async for event in talk]
        assert [item.text for item in talk.history] == ["hello", "You said hello."]
    assert "".join(event.text for event in found if isinstance(event, events.OutputText)) == "You said hello."
    with pytest.raises(BadRequest, match="no text"):
        await talk.say(" ")


async def test_an_answer_is_interrupted() -> None:
    bench = Bench(lambda request: FakeJob(request, [TextDelta("One "), 60.0]))
    async with bench.talk as talk:
        await talk.say("count")
        await bench.until(events.OutputText)
        await talk.interrupt()
        done = await bench.until(events.ResponseDone)
        await talk.interrupt()
        failed = await bench.until(events.Failed)
    assert done.response.status == "cancelled" and failed.code == "no_active_response"


async def test_events_that_nobody_reads_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "MAX_UNREAD", 100_000)
    bench = Bench()
    async with bench.talk as talk:
        for _ in range(3):  # silence has no events
            await talk.feed(silence(1.0), RATE)
        await talk.feed(speech(2.0), RATE)
        while not bench.unread:
            await asyncio.sleep(0.01)
        with pytest.raises(BadRequest, match="nobody reads the events"):
            await talk.feed(speech(1.0), RATE)
        await bench.until(events.SpeechStarted)
        await talk.feed(speech(0.1), RATE)
    with pytest.raises(BadRequest, match="in a block"):
        await anext(Bench().talk)
