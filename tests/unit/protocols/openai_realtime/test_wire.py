"""The realtime wire by tables: messages → commands, events → messages, in both dialects; no socket, no model."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest

from speechmlx.audio import g711
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation import commands as do
from speechmlx.conversation import events as say
from speechmlx.conversation.input.transcription import Transcript
from speechmlx.conversation.settings import Answering, Transcription, TurnTaking
from speechmlx.errors import EngineFailed
from speechmlx.protocols.http.body import Body
from speechmlx.protocols.openai_realtime.client_secrets import Secrets
from speechmlx.protocols.openai_realtime.connection import beta_session, subprotocol
from speechmlx.protocols.openai_realtime.schema import Dialect
from speechmlx.protocols.openai_realtime.wire import Wire

Json = dict[str, Any]


def wire(dialect: Dialect = "ga", transcribes: bool = False) -> Wire:
    return Wire(dialect, "local", transcribes, 1_000_000)


def told(on: Wire, message: Json | str | bytes) -> Any:
    """The one command of a message."""
    text = json.dumps(message) if isinstance(message, dict) else message
    (command,) = on.receive(text)
    return command


def shown(on: Wire, command: do.Configure) -> Json:
    """The session as the client is told that it was changed."""
    (sent,) = on.send(say.Configured(command.note))
    session: Json = json.loads(sent)["session"]
    return session


def refused(on: Wire, message: Json | str | bytes) -> Json:
    command = told(on, message)
    assert isinstance(command, do.Emit), command
    (sent,) = on.send(command.event)
    error: Json = json.loads(sent)["error"]
    return error


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": session}


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        (b"\x00", "invalid_json", None),
        (
            '{"type": "session.update", "session": {"tracing": ' + '{"a": [' * 40 + "]}" * 40 + "}}",
            "invalid_value",
            None,
        ),
        (update(type="realtime", max_output_tokens=10**400), "invalid_value", "session.max_output_tokens"),
        (update(type="realtime", temperature=float("inf")), "invalid_json", None),
        (update(type="realtime", prompt={"id": float("nan")}), "invalid_json", None),
        (update(type="realtime", temperature=1e300), "invalid_value", "session.temperature"),
        ("[]", "invalid_json", None),
        ('{"type": "\\ud800"}', "invalid_json", None),
        ('{"type": "\\uD800"}', "invalid_json", None),
        ({}, "missing_required_parameter", "type"),
        ({"type": 3}, "invalid_value", "type"),
        ({"type": "dance"}, "unknown_event", "type"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_value", "audio"),
        ({"type": "conversation.item.create", "item": {}}, "missing_required_parameter", "item.type"),
        ({"type": "conversation.item.create", "item": {"type": "mcp_call"}}, "invalid_value", "item.type"),
        (update(type="dream"), "invalid_value", "session.type"),
        (update(type="transcription"), "invalid_session_type", "session.type"),
        (update(type="realtime", instructions=3), "invalid_value", "session.instructions"),
        (update(type="realtime", output_modalities=["smell"]), "invalid_value", "session.output_modalities"),
        (update(type="realtime", max_output_tokens=0), "invalid_value", "session.max_output_tokens"),
        (update(type="realtime", tools=[{"type": "mcp"}]), "invalid_value", "session.tools[0].type"),
        (
            update(type="realtime", tools=[{"type": "function", "name": "f", "description": 5}]),
            "invalid_value",
            "session.tools[0].description",
        ),
        (update(type="realtime", tracing=5), "invalid_value", "session.tracing"),
        (update(audio=0), "invalid_value", "session.audio"),
        (update(audio={"input": ""}), "invalid_value", "session.audio.input"),
        (
            update(audio={"input": {"noise_reduction": {"strength": 1}}}),
            "missing_required_parameter",
            "session.audio.input.noise_reduction.type",
        ),
        (update(audio="x", voice="ash"), "invalid_value", "session.audio"),
        (update(modalities=["text"], input_audio_format="mp3"), "invalid_value", "session.input_audio_format"),
        (update(speed=9), "invalid_value", "session.speed"),
        (
            update(turn_detection={"type": "server_vad", "threshold": 2}),
            "invalid_value",
            "session.turn_detection.threshold",
        ),
        (update(audio={"output": {"speed": 9}}), "invalid_value", "session.audio.output.speed"),
        (update(audio={"input": {"format": {"type": "mp3"}}}), "invalid_value", "session.audio.input.format.type"),
        (
            update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}),
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        ({"type": "response.create", "response": {"metadata": {"a": 1}}}, "invalid_value", "response.metadata.a"),
        ({"type": "response.create", "response": {"conversation": "both"}}, "invalid_value", "response.conversation"),
        (update(type="realtime", voice=5), "invalid_value", "session.voice"),
        (update(type="realtime", modalities=["smell"]), "invalid_value", "session.modalities"),
        (update(type="realtime", audio={"output": {"speed": "1.1"}}), "invalid_value", "session.audio.output.speed"),
        ('{"type": "session.update", "session": {"type": "realtime", "speed": NaN}}', "invalid_json", None),
        (update(type="realtime", max_output_tokens="many"), "invalid_value", "session.max_output_tokens"),
        ({"type": "session.update", "session": None}, "missing_required_parameter", "session"),
        ({"type": "response.create", "response": {"modalities": []}}, "invalid_value", "response.modalities"),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": "0", "audio_end_ms": 0},
            "invalid_value",
            "content_index",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": 0},
            "missing_required_parameter",
            "content_index",
        ),
    ],
)
def test_what_is_refused(message: Json | str | bytes, code: str, param: str | None) -> None:
    error = refused(wire(), message)
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)


def test_a_failure_of_its_own_is_an_error_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    on = wire()
    monkeypatch.setattr(on, "_commands", lambda given, ref: 1 // 0)
    error = refused(on, {"type": "response.create", "event_id": "mine"})
    assert (error["type"], error["code"], error["event_id"]) == ("server_error", "engine_failed", "mine")


def test_an_unknown_event_is_named_and_its_id_told() -> None:
    error = refused(wire(), {"type": "dance", "event_id": "mine"})
    assert error["message"] == "Unknown event type: dance"
    assert error["event_id"] == "mine"


def test_a_refused_update_changes_nothing() -> None:
    on = wire()
    before = on.settings
    refused(on, update(type="realtime", instructions="new", audio={"output": {"speed": 9}}))
    assert on.settings == before


def test_ga_settings() -> None:
    on = wire()
    detection = {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 100,
        "silence_duration_ms": 200,
        "idle_timeout_ms": 5000,
        "create_response": False,
        "interrupt_response": False,
    }
    heard = {"format": {"type": "audio/pcmu"}, "turn_detection": detection, "noise_reduction": {"type": "far_field"}}
    command = told(on, update(type="realtime", audio={"input": heard, "output": {"voice": "ash", "speed": 1.2}}))
    settings = command.settings
    assert settings.input == AudioFormat("ulaw", 8000)
    assert settings.clean
    assert settings.turns == TurnTaking(
        threshold=0.7, prefix=0.1, silence=0.2, idle_timeout=5.0, answers=False, interrupts=False
    )
    assert (settings.answering.voice.name, settings.answering.voice.speed) == ("ash", 1.2)
    command = told(on, update(type="realtime", audio={"input": {"noise_reduction": None, "turn_detection": None}}))
    assert not command.settings.clean and command.settings.turns is None
    assert command.settings.input == AudioFormat("ulaw", 8000)


def test_beta_s_names_count_in_a_ga_session() -> None:
    on = wire()
    flat = {
        "modalities": ["text"],
        "voice": {"id": "ash"},
        "speed": 1.2,
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_alaw",
        "input_audio_transcription": {"model": "m"},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": None,
        "max_response_output_tokens": 7,
    }
    command = told(on, update(type="realtime", **flat))
    settings, voice = command.settings, command.settings.answering.voice
    assert on.dialect == "ga" and shown(on, command)["audio"]["output"]["voice"] == "ash"
    assert (settings.input, settings.clean, settings.turns) == (AudioFormat("ulaw", 8000), True, None)
    assert settings.transcription == Transcription(model="m")
    assert (settings.answering.spoken, settings.answering.max_tokens) == (False, 7)
    assert (voice.name, voice.speed, voice.format) == ("ash", 1.2, AudioFormat("alaw", 8000))
    both = update(type="realtime", voice="ash", audio={"output": {"voice": "coral"}})
    assert told(on, both).settings.answering.voice.name == "coral"
    response = {"modalities": ["audio"], "voice": "sage", "max_response_output_tokens": 9}
    answering = told(on, {"type": "response.create", "response": response}).plan.answering
    assert (answering.spoken, answering.voice.name, answering.max_tokens) == (True, "sage", 9)


VOICES = frozenset({"af_heart", "af_alloy", "bm_george"})


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"type": "realtime", "audio": {"output": {"voice": "af_hart"}}}, "session.audio.output.voice"),
        ({"type": "realtime", "audio": {"output": {"voice": {"id": "voice_123"}}}}, "session.audio.output.voice"),
        ({"type": "realtime", "audio": {"output": {"voice": "af_heart+nobody"}}}, "session.audio.output.voice"),
        ({"type": "realtime", "voice": "af_hart"}, "session.voice"),
        ({"voice": "Puck"}, "session.voice"),
    ],
)
def test_a_voice_that_nobody_has_is_refused(given: Json, param: str) -> None:
    on = wire()
    on.voices = VOICES
    before = on.session
    error = refused(on, update(**given))
    assert (error["code"], error["param"], on.session) == ("invalid_value", param, before)
    assert "GET /v1/audio/voices" in error["message"]
    assert "af_hart" not in str(given) or "are: af_heart" in error["message"]
    response = {key: value for key, value in given.items() if key != "type"}
    error = refused(on, {"type": "response.create", "response": response})
    assert error["param"] == param.replace("session", "response")


@pytest.mark.parametrize(
    "voice", ["af_heart", "alloy", "marin", "af_heart*0.7+bm_george", "AF_Heart", "NATF2", "en_female_calm"]
)
def test_voices_that_there_are_and_presets(voice: str) -> None:
    on = wire()
    on.voices = VOICES
    name = told(on, update(type="realtime", audio={"output": {"voice": voice}})).settings.answering.voice.name
    assert name == voice
    assert told(on, update(type="realtime", instructions="x")).settings.answering.voice.required


def test_any_voice_where_it_is_not_known_which_there_are() -> None:
    command = told(wire(), update(type="realtime", audio={"output": {"voice": "nobody"}}))
    assert command.settings.answering.voice.name == "nobody"


@pytest.mark.parametrize(
    ("model", "turns"),
    [
        ("gpt-realtime-whisper", False),
        ("gpt-live-transcribe", False),
        ("gpt-live-transcribe-2026-09-01", False),
        ("gpt-4o-transcribe", True),
        ("gpt-transcribe", True),
        ("whisper-1", True),
        ("whisper-base", True),
    ],
)
def test_models_whose_clients_commit(model: str, turns: bool) -> None:
    assert (Wire("ga", model, True, 1_000_000).settings.turns is not None) == turns
    typed: dict[str, Any] = {"type": "transcription", "audio": {"input": {"transcription": {"model": model}}}}
    flat = {"input_audio_transcription": {"model": model}}
    for on, message in (
        (wire(transcribes=True), update(**typed)),
        (wire("beta", transcribes=True), {"type": "transcription_session.update", "session": flat}),
    ):
        assert (told(on, message).settings.turns is not None) == turns
    asked = {**typed["audio"]["input"], "turn_detection": {"type": "server_vad"}}
    assert told(wire(transcribes=True), update(type="transcription", audio={"input": asked})).settings.turns
    answers = wire()
    assert told(answers, update(type="realtime", audio=typed["audio"])).settings.turns


@pytest.mark.parametrize(
    ("eagerness", "meant"), [("low", "low"), ("medium", "medium"), ("high", "high"), ("auto", "medium")]
)
def test_eagerness(eagerness: str, meant: Literal["low", "medium", "high"]) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness, "interrupt_response": False}
    command = told(wire(), update(type="realtime", audio={"input": {"turn_detection": detection}}))
    assert command.settings.turns == TurnTaking(eagerness=meant, interrupts=False)


def test_beta_settings() -> None:
    on = wire("beta")
    command = told(on, update(modalities=["text"], max_response_output_tokens=7, temperature=0.6, turn_detection=None))
    answering = command.settings.answering
    assert (answering.spoken, answering.max_tokens, answering.temperature) == (False, 7, 0.6)
    session = shown(on, command)
    assert session["modalities"] == ["text"]
    assert session["max_response_output_tokens"] == 7
    assert session["turn_detection"] is None


def test_a_flat_update_without_beta_in_the_handshake_is_the_small_servers_client() -> None:
    on = wire()
    command = told(on, update(modalities=["audio", "text"]))
    assert on.dialect == "beta"
    assert command.settings.turns is None
    respond = told(on, {"type": "response.create"})
    assert respond.commits
    command = told(on, update(voice="ash"))
    assert command.settings.turns is None


def test_a_flat_update_keeps_the_turns_that_were_chosen() -> None:
    on = wire()
    told(on, update(type="realtime", audio={"input": {"turn_detection": {"type": "semantic_vad"}}}))
    assert told(on, update(voice="ash")).settings.turns == TurnTaking(eagerness="medium")


def test_a_typed_update_makes_it_ga_again() -> None:
    on = wire("beta")
    told(on, update(type="realtime"))
    assert on.dialect == "ga"
    assert not told(on, {"type": "response.create"}).commits


@pytest.mark.parametrize(
    ("dialect", "transcribes", "kinds"),
    [
        ("ga", False, ["session.created"]),
        ("ga", True, ["session.created"]),
        ("beta", False, ["session.created", "conversation.created"]),
        ("beta", True, ["transcription_session.created"]),
    ],
)
def test_greetings(dialect: Dialect, transcribes: bool, kinds: list[str]) -> None:
    assert [json.loads(message)["type"] for message in wire(dialect, transcribes).greeting()] == kinds


@pytest.mark.parametrize(
    ("role", "kind", "part"),
    [("user", "text", "input_text"), ("assistant", "text", "output_text"), ("system", "input_text", "input_text")],
)
def test_every_spelling_of_a_text(role: str, kind: str, part: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]}
    command = told(wire(), {"type": "conversation.item.create", "item": item})
    on = wire()
    added = json.loads(on.send(say.ItemAdded(command.item, None))[0])
    assert added["item"]["content"] == [{"type": part, "text": "x"}]


def test_telephone_audio_in_an_item() -> None:
    on = wire()
    told(on, update(type="realtime", audio={"input": {"format": {"type": "audio/pcmu"}}}))
    sound = g711.encode((np.sin(np.arange(800) / 3) / 2).astype(np.float32), "ulaw")
    part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    added = told(on, {"type": "conversation.item.create", "item": item}).item.parts[0]
    asked = told(on, {"type": "response.create", "response": {"input": [item]}}).plan.input[0].parts[0]
    assert (added.rate, added.seconds, added.pcm16) == (asked.rate, asked.seconds, asked.pcm16)
    assert (added.rate, added.seconds) == (8000, 0.1)
    assert np.abs(from_pcm16(added.pcm16) - g711.decode(sound, "ulaw")).max() < 1e-3


def test_half_a_sample_in_an_item() -> None:
    part = {"type": "input_audio", "audio": base64.b64encode(b"abc").decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    error = refused(wire(), {"type": "conversation.item.create", "item": item})
    assert error["param"] == "item.content[0].audio"


def test_a_picture_stands_in_its_message() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is this?"}, picture]}
    on = wire()
    command = told(on, {"type": "conversation.item.create", "item": item})
    assert json.loads(on.send(say.ItemAdded(command.item, None))[0])["item"]["content"] == item["content"]


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_a_person_shows_pictures(role: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": "input_image", "image_url": "x"}]}
    error = refused(wire(), {"type": "conversation.item.create", "item": item})
    assert error["param"] == "item.content[0].type" and "'input_image'" in error["message"]


def test_a_system_message_is_written() -> None:
    item = {"type": "message", "role": "system", "content": [{"type": "input_audio", "transcript": "x"}]}
    assert refused(wire(), {"type": "conversation.item.create", "item": item})["param"] == "item.content[0].type"


@pytest.mark.parametrize("text", ["+/+/\r\n\t+/+/AAA=\n", "-_-_-_-_AAA", "+/+/+/+/AAA=", " +/+/+/+/AAA= "])
def test_base64_as_people_write_it(text: str) -> None:
    sound = base64.b64decode("+/+/+/+/AAA=")
    assert told(wire(), {"type": "input_audio_buffer.append", "audio": text}).audio == sound
    part = {"type": "input_audio", "audio": text}
    item = {"type": "message", "role": "user", "content": [part]}
    assert told(wire(), {"type": "conversation.item.create", "item": item}).item.parts[0].pcm16 == sound


@pytest.mark.parametrize("text", ["!", "AAAA=AAA", "A", "data:audio/wav;base64,AAAA", "ä"])
def test_what_is_no_base64(text: str) -> None:
    error = refused(wire(), {"type": "input_audio_buffer.append", "audio": text})
    assert (error["param"], error["message"]) == ("audio", "Invalid 'audio': expected base64-encoded audio.")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["realtime"], "realtime"),
        (["openai-insecure-api-key.k", "openai-beta.realtime-v1", "realtime"], "realtime"),
        (["openai-insecure-api-key.k", "openai-beta.realtime-v1"], "openai-beta.realtime-v1"),
        (["openai-insecure-api-key.k", "openai-organization.o"], "openai-organization.o"),
        (["openai-insecure-api-key.k"], "openai-insecure-api-key.k"),
    ],
)
def test_the_subprotocol_is_one_that_was_offered(offered: list[str], chosen: str | None) -> None:
    assert subprotocol(offered) == chosen


@pytest.mark.parametrize(("end", "seconds"), [(-5, -0.005), (10.0, 0.01), (10**400, 1e9)])
def test_any_number_says_where_an_answer_was_cut(end: float, seconds: float) -> None:
    given = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": end}
    assert told(wire(), given).seconds == seconds
    assert refused(wire(), {**given, "audio_end_ms": "soon"})["param"] == "audio_end_ms"


@pytest.mark.parametrize(("given", "expected"), [({}, 0.8), ({"temperature": 0}, 0.0), ({"temperature": 0.6}, 0.6)])
def test_the_temperature_that_beta_is_told(given: Json, expected: float) -> None:
    on = wire("beta")
    session = shown(on, told(on, update(modalities=["text"], **given)))
    response = say.Response(id="r", answering=told(on, {"type": "response.create"}).plan.answering)
    created = json.loads(on.send(say.ResponseStarted(response))[0])["response"]
    assert (session["temperature"], created["temperature"]) == (expected, expected)


def test_what_transcription_takes() -> None:
    on = wire()
    given = {"model": "m", "languages": ["de", "en"], "keywords": ["Kokoro"], "delay": "low"}
    logprobs = ["item.input_audio_transcription.logprobs"]
    command = told(on, update(type="realtime", include=logprobs, audio={"input": {"transcription": given}}))
    assert command.settings.transcription == Transcription(
        model="m", languages=("de", "en"), keywords=("Kokoro",), logprobs=True
    )
    session = shown(on, command)
    assert (session["include"], session["audio"]["input"]["transcription"]) == (logprobs, given)
    done = json.loads(
        on.send(say.TranscriptDone("i", Transcript("x", language="en", logprobs=((b"x", -0.5),)), 1.0, 1, True))[0]
    )
    assert done["content_index"] == 1
    assert done["languages"] == [{"code": "en"}]
    assert done["logprobs"] == [{"token": "x", "bytes": [120], "logprob": -0.5}]
    command = told(on, update(include=["step.details"], audio={"input": {"transcription": {"language": ""}}}))
    assert command.settings.transcription.language is None and not command.settings.transcription.logprobs


def test_the_model_of_the_address_transcribes() -> None:
    on = Wire("ga", "m", True, 1_000_000)
    assert on.settings.transcription == Transcription(model="m")
    (created,) = on.greeting()
    assert json.loads(created)["session"]["audio"]["input"]["transcription"] == {"model": "m"}


@pytest.mark.parametrize(("transcribes", "given"), [(False, {"voice": "ash"}), (True, {"turn_detection": None})])
async def test_the_secret_of_a_beta_session_opens_it(transcribes: bool, given: Json) -> None:
    secrets = Secrets()
    response = await beta_session(Body(upload=BytesIO(json.dumps(given).encode())), transcribes, secrets)
    made = json.loads(bytes(response.body))
    opened = secrets.session(made["client_secret"]["value"])
    assert opened is not None
    on = Wire("ga", "", False, 1_000_000, opened)
    assert (on.session["id"], on.transcribes) == (made["id"], transcribes)
    assert on.settings.turns is None if transcribes else on.settings.answering.voice.name == "ash"


def test_an_update_changes_what_it_names() -> None:
    on = wire()
    heard: Json = {
        "transcription": {"model": "m", "language": "en", "prompt": "p"},
        "noise_reduction": {"type": "near_field"},
        "format": {"type": "audio/pcm", "rate": 16000},
    }
    told(on, update(type="realtime", audio={"input": heard}))
    changes = {"transcription": {"language": "de", "prompt": None}, "noise_reduction": {"strength": 0.5}}
    now = shown(on, told(on, update(audio={"input": {**changes, "format": {"rate": 8000}}})))["audio"]["input"]
    assert on.settings.input == AudioFormat("pcm16", 8000)
    assert now["transcription"] == {"model": "m", "language": "de"}
    assert now["noise_reduction"] == {"type": "near_field", "strength": 0.5}
    assert now["format"] == {"type": "audio/pcm", "rate": 8000}
    now = shown(on, told(on, update(audio={"input": {"format": {"type": "audio/pcmu"}}})))["audio"]["input"]
    assert now["format"] == {"type": "audio/pcmu"}
    flat = told(on, update(voice="ash", audio={"input": {"transcription": {"language": "fr"}}}))
    assert flat.settings.transcription == Transcription(model="m", language="fr")
    assert flat.settings.answering.voice.name == "ash"


def test_a_session_that_only_transcribes_has_no_say_in_answers() -> None:
    on = wire(transcribes=True)
    session = shown(on, told(on, update(type="transcription", parallel_tool_calls=True, temperature=0.5)))
    assert session.keys() == on.session.keys() == wire(transcribes=True).session.keys()


def test_each_update_is_told_as_it_was() -> None:
    on = wire()
    commands = [told(on, update(type="realtime", instructions=text)) for text in ("first", "second")]
    assert [shown(on, command)["instructions"] for command in commands] == ["first", "second"]


def test_truncation() -> None:
    on = wire()
    assert told(on, update(type="realtime")).settings.answering.forgets
    assert not told(on, update(type="realtime", truncation="disabled")).settings.answering.forgets
    assert refused(on, update(type="realtime", truncation="never"))["param"] == "session.truncation"


def test_a_response_to_order() -> None:
    on = wire()
    told(on, update(type="realtime", instructions="of the session"))
    given = {"instructions": "of this", "audio": {"output": {"format": {"type": "audio/pcma"}}}, "metadata": {"a": "b"}}
    plan = told(on, {"type": "response.create", "response": given}).plan
    assert plan.answering.instructions == "of this"
    assert plan.answering.voice.format == AudioFormat("alaw", 8000)
    assert plan.metadata == {"a": "b"}
    assert on.settings.answering.instructions == "of the session"


@pytest.mark.parametrize(("dialect", "kind"), [("ga", "response.output_audio.delta"), ("beta", "response.audio.delta")])
def test_audio_out(dialect: Dialect, kind: str) -> None:
    (sent,) = wire(dialect).send(say.OutputAudio("resp_1", "item_1", 0, b"\x01\x02"))
    message = json.loads(sent)
    assert message.pop("event_id").startswith("event_")
    assert message == {
        "type": kind,
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(b"\x01\x02").decode(),
    }


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_failed_response_is_an_error_too_in_beta(dialect: Dialect) -> None:
    response = say.Response(id="r", answering=Answering(), status="failed", error=EngineFailed("no"), cost=say.Cost())
    *errors, done = (json.loads(message) for message in wire(dialect).send(say.ResponseDone(response)))
    found = [(error["type"], error["error"]["type"], error["error"]["message"]) for error in errors]
    assert found == ([("error", "server_error", "no")] if dialect == "beta" else [])
    assert done["response"]["status_details"]["error"]["code"] == "engine_failed"


def test_idle_is_no_word_of_beta() -> None:
    assert wire("beta").send(say.IdleTimedOut("i", 1.0, 2.0)) == []
    assert json.loads(wire().send(say.IdleTimedOut("i", 1.0, 2.0))[0])["audio_end_ms"] == 2000


def test_languages_of_a_transcription_go_by_any_of_their_names() -> None:
    for said, meant in (("English", "en"), ("pt-BR", "pt"), ("nb", "no"), ("cmn", "zh"), (" ", None), ("auto", None)):
        given = {"model": "m", "language": said, "languages": [said, "iw"]}
        command = told(wire(), update(type="realtime", audio={"input": {"transcription": given}}))
        assert command.settings.transcription.language == meant
        assert command.settings.transcription.languages == tuple(filter(None, (meant, "he")))
