"""Updates of a session: the settings that they mean, in both dialects."""

from __future__ import annotations

from typing import Literal

import pytest
from support.realtime_wire import Json, read_command, read_error, read_session, update, wire

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import Transcription, TurnTaking
from speechmlx.types import Pronunciation


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
    command = read_command(
        on, update(type="realtime", audio={"input": heard, "output": {"voice": "ash", "speed": 1.2}})
    )
    settings = command.settings
    assert settings.input == AudioFormat("ulaw", 8000)
    assert settings.clean
    assert settings.turns == TurnTaking(
        threshold=0.7, prefix=0.1, silence=0.2, idle_timeout=5.0, answers=False, interrupts=False
    )
    assert (settings.answering.voice.name, settings.answering.voice.speed) == ("ash", 1.2)
    command = read_command(
        on, update(type="realtime", audio={"input": {"noise_reduction": None, "turn_detection": None}})
    )
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
    command = read_command(on, update(type="realtime", **flat))
    settings, voice = command.settings, command.settings.answering.voice
    assert on.dialect == "ga" and read_session(on, command)["audio"]["output"]["voice"] == "ash"
    assert (settings.input, settings.clean, settings.turns) == (AudioFormat("ulaw", 8000), True, None)
    assert settings.transcription == Transcription(whole=True, model="m")
    assert (settings.answering.spoken, settings.answering.max_tokens) == (False, 7)
    assert (voice.name, voice.speed, voice.format) == ("ash", 1.2, AudioFormat("alaw", 8000))
    both = update(type="realtime", voice="ash", audio={"output": {"voice": "coral"}})
    assert read_command(on, both).settings.answering.voice.name == "coral"
    response = {"modalities": ["audio"], "voice": "sage", "max_response_output_tokens": 9}
    answering = read_command(on, {"type": "response.create", "response": response}).plan.answering
    assert (answering.spoken, answering.voice.name, answering.max_tokens) == (True, "sage", 9)


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_how_words_are_said_in_answers_and_which_names_are_heard(dialect: Literal["ga", "beta"]) -> None:
    on = wire(dialect)
    said = {"Nguyen": "win", "Siobhan": {"phonemes": "ʃəvˈɔn"}}
    kind = {"type": "realtime"} if dialect == "ga" else {}
    heard = {"input_audio_transcription": {"model": "m", "keywords": ["Rust", "Nguyen"]}}
    command = read_command(on, update(**kind, **heard, pronunciations=said))
    entries = (Pronunciation("Nguyen", "win"), Pronunciation("Siobhan", phonemes="ʃəvˈɔn"))
    assert command.settings.answering.voice.pronunciations == entries
    assert command.settings.transcription == Transcription(
        whole=True, model="m", keywords=("Rust", "Nguyen", "Siobhan")
    )
    response = {"pronunciations": [{"spelling": "Ng", "sounds_like": "ing"}]}
    answering = read_command(on, {"type": "response.create", "response": response}).plan.answering
    assert answering.voice.pronunciations == (Pronunciation("Ng", "ing"),)
    command = read_command(on, update(**kind, pronunciations=None))
    assert command.settings.answering.voice.pronunciations == ()


@pytest.mark.parametrize(
    ("eagerness", "meant"), [("low", "low"), ("medium", "medium"), ("high", "high"), ("auto", "medium")]
)
def test_eagerness(eagerness: str, meant: Literal["low", "medium", "high"]) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness, "interrupt_response": False}
    command = read_command(wire(), update(type="realtime", audio={"input": {"turn_detection": detection}}))
    assert command.settings.turns == TurnTaking(eagerness=meant, interrupts=False)


def test_beta_settings() -> None:
    on = wire("beta")
    command = read_command(
        on, update(modalities=["text"], max_response_output_tokens=7, temperature=0.6, turn_detection=None)
    )
    answering = command.settings.answering
    assert (answering.spoken, answering.max_tokens, answering.temperature) == (False, 7, 0.6)
    session = read_session(on, command)
    assert session["modalities"] == ["text"]
    assert session["max_response_output_tokens"] == 7
    assert session["turn_detection"] is None


def test_an_update_changes_what_it_names() -> None:
    on = wire()
    heard: Json = {
        "transcription": {"model": "m", "language": "en", "prompt": "p"},
        "noise_reduction": {"type": "near_field"},
        "format": {"type": "audio/pcm", "rate": 16000},
    }
    read_command(on, update(type="realtime", audio={"input": heard}))
    changes = {"transcription": {"language": "de", "prompt": None}, "noise_reduction": {"strength": 0.5}}
    now = read_session(on, read_command(on, update(audio={"input": {**changes, "format": {"rate": 8000}}})))["audio"][
        "input"
    ]
    assert on.settings.input == AudioFormat("pcm16", 8000)
    assert now["transcription"] == {"model": "m", "language": "de"}
    assert now["noise_reduction"] == {"type": "near_field", "strength": 0.5}
    assert now["format"] == {"type": "audio/pcm", "rate": 8000}
    now = read_session(on, read_command(on, update(audio={"input": {"format": {"type": "audio/pcmu"}}})))["audio"][
        "input"
    ]
    assert now["format"] == {"type": "audio/pcmu"}
    flat = read_command(on, update(voice="ash", audio={"input": {"transcription": {"language": "fr"}}}))
    assert flat.settings.transcription == Transcription(whole=True, model="m", language="fr")
    assert flat.settings.answering.voice.name == "ash"


def test_each_update_is_told_as_it_was() -> None:
    on = wire()
    commands = [read_command(on, update(type="realtime", instructions=text)) for text in ("first", "second")]
    assert [read_session(on, command)["instructions"] for command in commands] == ["first", "second"]


def test_truncation() -> None:
    on = wire()
    assert read_command(on, update(type="realtime")).settings.answering.forgets
    assert not read_command(on, update(type="realtime", truncation="disabled")).settings.answering.forgets
    assert read_error(on, update(type="realtime", truncation="never"))["param"] == "session.truncation"
