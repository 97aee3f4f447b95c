"""The items of a response: what the client gets of them, and what the conversation keeps."""

from __future__ import annotations

import pytest

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.clock import Clock
from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import Event, OutputArguments, OutputAudio, OutputDone, OutputStarted, OutputText
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.response.output import ResponseOutput
from speechmlx.conversation.response.playback import START, Playback
from speechmlx.conversation.settings import Answering, ResponseRequest, VoiceSettings
from speechmlx.types import Chunk, FunctionCall

SECOND = Chunk(b"\1\0" * 24000, 24000)


def output(spoken: bool = True, out_of_band: bool = False, format: AudioFormat = AudioFormat()) -> ResponseOutput:  # noqa: B008
    answering = Answering(spoken=spoken, voice=VoiceSettings(format=format))
    playback = Playback(Clock(lambda: 0.0, lambda: 0.0), START)
    request = ResponseRequest(answering=answering, out_of_band=out_of_band)
    return ResponseOutput("resp", request, EventQueue(), Conversation(), playback, None)


def speak(made: ResponseOutput, text: str = "one two three four") -> None:
    """A clause of one second."""
    made.add_text(text)
    made.playback.timeline = made.playback.timeline.begin_clause(text)
    made.add_audio(SECOND)
    made.playback.timeline = made.playback.timeline.end_clause()


async def events(made: ResponseOutput) -> list[Event]:
    made.events.end()
    return [event async for event in made.events]


async def test_a_message_and_its_calls() -> None:
    made = output()
    speak(made)
    made.add_call(FunctionCall("f", "{}"))
    made.finish("completed")
    assert [type(event) for event in await events(made)] == [
        OutputStarted, OutputText, *[OutputAudio] * 5, OutputDone, OutputStarted, OutputArguments, OutputDone,
    ]  # fmt: skip
    assert [item.kind for item in made.items] == ["message", "call"]
    assert list(made.conversation.items) == made.items
    assert made.playback.item == made.items[0].id


async def test_the_end_of_another_rate_is_sent_with_the_message() -> None:
    made = output(format=AudioFormat("ulaw", 8000))
    speak(made)
    made.finish("completed")
    sent = sum(len(event.audio) for event in await events(made) if isinstance(event, OutputAudio))
    assert sent == 8000 and made.items[0].parts[0].seconds == pytest.approx(1.0)


async def test_calls_alone() -> None:
    made = output()
    made.add_call(FunctionCall("f", "{}"))
    made.finish("completed")
    assert [item.kind for item in made.items] == ["call"] and made.playback.item is None


def test_the_client_gets_the_whole_text_and_the_conversation_what_was_heard() -> None:
    made = output()
    speak(made)
    (item,) = made.conversation.items
    assert item.status == "in_progress"
    assert made.truncate(item.id, 0.5) == 0.5
    made.finish("completed")
    assert made.items[0].text == "one two three four"
    assert [(item.status, item.text) for item in made.conversation.items] == [("completed", "one two")]
    assert made.truncate(item.id, 0.5) is None  # it is complete


def test_an_interruption_takes_back_what_was_not_sent() -> None:
    made = output()
    speak(made)
    made.interrupt(live=False)
    assert made.playback.timeline.duration == 0.0
    made.close_message("incomplete")
    made.close_message("incomplete")
    assert [(item.status, item.text) for item in made.conversation.items] == [("incomplete", "")]
    assert len(made.items) == 1


async def test_out_of_band_only_the_client_gets_them() -> None:
    made = output(spoken=False, out_of_band=True)
    made.add_text("Hello")
    made.finish("incomplete")
    assert not made.conversation.items and [item.text for item in made.items] == ["Hello"]
    started, *_, done = await events(made)
    assert isinstance(started, OutputStarted) and isinstance(done, OutputDone)
    assert started.out_of_band and done.out_of_band and done.before is None
