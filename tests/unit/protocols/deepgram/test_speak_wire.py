"""The messages of the WebSocket /v1/speak, by tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_engines import row

from speechmlx.conversation.response.written_text import TimedText
from speechmlx.protocols.deepgram.speak_wire import (
    IDLE,
    ClearSpeech,
    FlushSpeech,
    HangUp,
    SpeakWire,
    Task,
    Tell,
)
from speechmlx.protocols.deepgram.speech_request import Speaker
from speechmlx.protocols.ws import Close, ResumePoint
from speechmlx.types import Kind

SPEAKER = Speaker("aura-2-thalia-en", row(Kind.TTS), None, None, 1.0)


def wire(limit: int = 100) -> SpeakWire:
    return SpeakWire("req_1", SPEAKER, limit, 0.0)


def say(text: Any) -> str:
    return json.dumps({"type": "Speak", "text": text})


def tasks(made: SpeakWire, *messages: str | bytes) -> list[Task | str]:
    """The tasks in messages; of a text to be spoken the text alone."""
    found = (task for number, message in enumerate(messages) for task in made.receive(message, number * 0.01))
    return [task.text if isinstance(task, TimedText) else task for task in found]


FLUSH, CLEAR, CLOSE = (json.dumps({"type": kind}) for kind in ("Flush", "Clear", "Close"))


@pytest.mark.parametrize(
    ("messages", "made"),
    [
        ([say("Hello there, "), say("friend. ")], ["Hello there, ", "friend. "]),
        ([say("Hello."), FLUSH], ["Hello.", FlushSpeech()]),
        ([FLUSH], [FlushSpeech()]),
        ([say("First."), say("Second."), FLUSH], ["First.", " Second.", FlushSpeech()]),
        ([say("First"), say("."), say("Second."), FLUSH], ["First", ".", " Second.", FlushSpeech()]),
        ([say("First."), FLUSH, say("Second.")], ["First.", FlushSpeech(), "Second."]),
        ([say("First."), CLEAR, say("Second.")], ["First.", ClearSpeech(), "Second."]),
        ([say("It is 3."), say("5 km."), FLUSH], ["It is 3.", "5 km.", FlushSpeech()]),
        ([say("The U."), say("S. flag"), FLUSH], ["The U.", "S. flag", FlushSpeech()]),
        ([say("Last"), CLOSE], ["Last", HangUp(Close())]),
        ([say(""), '{"type": "KeepAlive"}', b'{"type": "Flush"}'], [FlushSpeech()]),
    ],
)
def test_tasks(messages: list[str | bytes], made: list[Task | str]) -> None:
    assert tasks(wire(), *messages) == made


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("Hello", "not valid JSON.*'Hello'"),
        (b"\x00\x01", "not valid JSON"),
        ("[1]", "must be a JSON object, not list"),
        ('{"type": "Sing"}', "'type' must be one of Speak, Flush, Clear, Close, not 'Sing'"),
        ("{}", "'type' must be one of"),
        (say(5), "'text' of Speak must be a string, not 5"),
        ('{"type": "Speak"}', "'text' of Speak must be a string, not None"),
        ('{"type": "Speak", "text": "\\ud800"}', "half of a character"),
    ],
)
def test_what_is_no_message_is_a_warning(message: str | bytes, says: str) -> None:
    made = wire()
    (task,) = made.receive(message, 0.0)
    assert isinstance(task, Tell)
    told = json.loads(task.message)
    assert told["type"] == "Warning" and told["code"] == told["warn_code"] == "INVALID_MESSAGE"
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(told["description"])
    assert told["warn_msg"] == told["description"]
    assert tasks(made, say("On."), FLUSH) == ["On.", FlushSpeech()]


def test_a_text_has_the_time_at_which_it_came() -> None:
    assert wire().receive(say("Hello."), 7.5) == [TimedText("Hello.", 7.5)]


def test_too_long_a_text_is_the_end_after_what_came_before() -> None:
    rest, end = tasks(wire(limit=10), say("Before"), say("x" * 11))
    assert rest == "Before" and isinstance(end, HangUp) and end.close.code == 1009
    assert end.close.reason == "BIG-0001: 'text' has 11 characters; the limit is 10 (max_input_chars)"
    assert tasks(wire(limit=0), say("x" * 11), FLUSH) == ["x" * 11, FlushSpeech()]


def test_what_the_client_is_told() -> None:
    made = wire()
    opened = json.loads(made.open())
    assert opened.keys() == {"type", "request_id", "model_name", "model_version", "model_uuid"}
    assert (opened["type"], opened["request_id"], opened["model_name"]) == ("Metadata", "req_1", "aura-2-thalia-en")
    told = [json.loads(message) for message in (made.flushed(), made.cleared(), made.flushed())]
    assert told == [{"type": kind, "sequence_id": n} for n, kind in enumerate(("Flushed", "Cleared", "Flushed"))]


def test_an_idle_socket_is_closed() -> None:
    made = wire()
    assert made.tick(IDLE - 1) is None
    made.receive('{"type": "KeepAlive"}', 100.0)
    assert made.tick(IDLE + 99) is None
    assert made.tick(IDLE + 100) == Close(1011, "NET-0003: no message came within 60 minutes")


@given(st.lists(st.text(alphabet="abc ,.!?\n", max_size=12)))
def test_no_text_is_lost_however_it_comes(pieces: list[str]) -> None:
    made = tasks(wire(), *map(say, pieces), FLUSH)
    assert made[-1] == FlushSpeech()
    spoken = "".join(task for task in made if isinstance(task, str))
    assert "".join(spoken.split()) == "".join("".join(pieces).split())


def test_a_client_that_comes_back_gets_the_first_message_again() -> None:
    made = wire()
    told = json.loads(made.resume(ResumePoint(2, 5)))
    assert told == {**json.loads(made.open()), "resumed": {"received": 2, "sent": 5}}
