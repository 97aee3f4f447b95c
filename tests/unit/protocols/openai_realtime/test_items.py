"""Items of the conversation as clients write them: text, audio in base64, pictures."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from support.realtime_wire import read_command, read_error, update, wire

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation import events as say


@pytest.mark.parametrize(
    ("role", "kind", "part"),
    [("user", "text", "input_text"), ("assistant", "text", "output_text"), ("system", "input_text", "input_text")],
)
def test_every_spelling_of_a_text(role: str, kind: str, part: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]}
    command = read_command(wire(), {"type": "conversation.item.create", "item": item})
    on = wire()
    added = json.loads(on.send(say.ItemAdded(command.item, None))[0])
    assert added["item"]["content"] == [{"type": part, "text": "x"}]


def test_telephone_audio_in_an_item() -> None:
    on = wire()
    read_command(on, update(type="realtime", audio={"input": {"format": {"type": "audio/pcmu"}}}))
    sound = g711.encode((np.sin(np.arange(800) / 3) / 2).astype(np.float32), "ulaw")
    part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    added = read_command(on, {"type": "conversation.item.create", "item": item}).item.parts[0]
    asked = read_command(on, {"type": "response.create", "response": {"input": [item]}}).plan.input[0].parts[0]
    assert (added.rate, added.seconds, added.pcm16) == (asked.rate, asked.seconds, asked.pcm16)
    assert (added.rate, added.seconds) == (8000, 0.1)
    assert np.abs(from_pcm16(added.pcm16) - g711.decode(sound, "ulaw")).max() < 1e-3


def test_half_a_sample_in_an_item() -> None:
    part = {"type": "input_audio", "audio": base64.b64encode(b"abc").decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    error = read_error(wire(), {"type": "conversation.item.create", "item": item})
    assert error["param"] == "item.content[0].audio"


def test_a_picture_stands_in_its_message() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is this?"}, picture]}
    on = wire()
    command = read_command(on, {"type": "conversation.item.create", "item": item})
    assert json.loads(on.send(say.ItemAdded(command.item, None))[0])["item"]["content"] == item["content"]


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_a_person_shows_pictures(role: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": "input_image", "image_url": "x"}]}
    error = read_error(wire(), {"type": "conversation.item.create", "item": item})
    assert error["param"] == "item.content[0].type" and "'input_image'" in error["message"]


def test_a_system_message_is_written() -> None:
    item = {"type": "message", "role": "system", "content": [{"type": "input_audio", "transcript": "x"}]}
    assert read_error(wire(), {"type": "conversation.item.create", "item": item})["param"] == "item.content[0].type"


@pytest.mark.parametrize("text", ["+/+/\r\n\t+/+/AAA=\n", "-_-_-_-_AAA", "+/+/+/+/AAA=", " +/+/+/+/AAA= "])
def test_base64_as_people_write_it(text: str) -> None:
    sound = base64.b64decode("+/+/+/+/AAA=")
    assert read_command(wire(), {"type": "input_audio_buffer.append", "audio": text}).audio == sound
    part = {"type": "input_audio", "audio": text}
    item = {"type": "message", "role": "user", "content": [part]}
    assert read_command(wire(), {"type": "conversation.item.create", "item": item}).item.parts[0].pcm16 == sound


@pytest.mark.parametrize("text", ["!", "AAAA=AAA", "A", "data:audio/wav;base64,AAAA", "ä"])
def test_what_is_no_base64(text: str) -> None:
    error = read_error(wire(), {"type": "input_audio_buffer.append", "audio": text})
    assert (error["param"], error["message"]) == ("audio", "Invalid 'audio': expected base64-encoded audio.")
