"""What a request may ask of each kind of Qwen3-TTS, and what it is told otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speechmlx.engines.parts.layer_stack import StackShape
from speechmlx.engines.qwen3_tts.shape import (
    CodecMarks,
    DrawDefaults,
    QwenTtsConfig,
    TalkerShape,
    TextMarks,
)
from speechmlx.engines.qwen3_tts.wishes import Drawing, read_drawing, read_wishes
from speechmlx.errors import BadAudio, BadRequest, UnknownVoice, Unsupported
from speechmlx.types import Audio, NamedVoice, ReferenceVoice, Speak

STACK = StackShape(32, 64, 2, 2, 1, 16, 1e-6, 1e6)
VOICES = {"serena": 1, "vivian": 2, "ryan": 3, "ono_anna": 4, "eric": 5}
CUSTOM = QwenTtsConfig(
    "custom_voice",
    "1b7",
    TalkerShape(STACK, STACK, 1088, 64, 16, 300, 48),
    CodecMarks(72, 70, 71, 73, 74, 75, 76),
    TextMarks(1, 2, 3, 4, 5),
    {"chinese": 78, "english": 77, "japanese": 79, "beijing_dialect": 90, "sichuan_dialect": 91},
    VOICES,
    {"eric": "sichuan_dialect"},
)
SMALL = replace(CUSTOM, size="0b6")
BASE = replace(CUSTOM, variant="base", voices={}, dialects={})
DESIGN = replace(CUSTOM, variant="voice_design", voices={}, dialects={})
DEFAULTS = DrawDefaults()
RECORDING = Audio(np.ones(24000, np.float32), 24000)
CLONED = ReferenceVoice(RECORDING, "What I say.", "one")


def speak(**fields: Any) -> Speak:
    return Speak(text="Hello.", **fields)


@pytest.mark.parametrize(
    ("fields", "voice", "language"),
    [
        ({}, "ryan", None),
        ({"language": "en"}, "ryan", 77),
        ({"language": "zh-CN"}, "vivian", 78),
        ({"language": "Japanese"}, "ono_anna", 79),
        ({"language": "auto"}, "ryan", None),
        ({"language": "beijing_dialect"}, "vivian", 90),
        ({"voice": NamedVoice("Ono Anna")}, "ono_anna", None),
        ({"voice": NamedVoice("eric")}, "eric", 91),
        ({"voice": NamedVoice("eric"), "language": "zh"}, "eric", 91),
        ({"voice": NamedVoice("eric"), "language": "en"}, "eric", 77),
    ],
)
def test_voice_and_language(fields: dict[str, Any], voice: str, language: int | None) -> None:
    wishes = read_wishes(speak(**fields), CUSTOM, DEFAULTS)
    assert (wishes.voice, wishes.language) == (voice, language)


@pytest.mark.parametrize(
    ("config", "fields", "error", "says"),
    [
        (CUSTOM, {"voice": NamedVoice("bob")}, UnknownVoice, "no voice 'bob'; the voices are serena, vivian, ryan"),
        (CUSTOM, {"voice": CLONED}, Unsupported, "a Base model can; its voices are serena, vivian"),
        (DESIGN, {"voice": CLONED, "instructions": "deep"}, Unsupported, "`instructions` say how its voice sounds"),
        (DESIGN, {}, BadRequest, "say in `instructions` how it sounds"),
        (DESIGN, {"voice": NamedVoice("ryan"), "instructions": "deep"}, UnknownVoice, "has no voice 'ryan'"),
        (BASE, {}, BadRequest, "imitates the voice of a recording: send one"),
        (BASE, {"voice": NamedVoice("ryan")}, UnknownVoice, "has no voice 'ryan': send one"),
        (BASE, {"voice": CLONED, "options": {"instruct": "sadly"}}, Unsupported, "follows no instructions"),
        (
            SMALL,
            {"options": {"instruct": "sadly"}},
            Unsupported,
            "no instructions; its CustomVoice model of 1.7 billion",
        ),
        (CUSTOM, {"language": "sw"}, Unsupported, "language 'sw' is none of this model's: chinese, english, japanese"),
        (CUSTOM, {"speed": 1.5}, Unsupported, "speed is 1, not 1.5"),
        (
            CUSTOM,
            {"options": {"cfg_scale": 2}},
            Unsupported,
            "no option 'cfg_scale'; its options are instruct, ma",
        ),
        (CUSTOM, {"options": {"temperature": 3}}, BadRequest, "temperature must be a number from 0 to 2, not 3"),
        (CUSTOM, {"options": {"top_k": 2.5}}, BadRequest, "top_k must be a whole number from 0 to 100000, not 2.5"),
        (CUSTOM, {"options": {"top_p": "high"}}, BadRequest, "top_p must be a number from 0.01 to 1, not 'high'"),
        (
            CUSTOM,
            {"options": {"seed": -1}},
            BadRequest,
            "seed must be a whole number from 0 to 9223372036854775807, not -1",
        ),
        (
            CUSTOM,
            {"options": {"max_tokens": True}},
            BadRequest,
            "max_tokens must be a whole number from 1 to 32768, not True",
        ),
        (BASE, {"options": {"prompt_speech": "x.wav"}}, BadRequest, "prompt_speech must be a recording"),
        (BASE, {"options": {"prompt_text": "alone"}}, BadRequest, "prompt_text goes with one"),
        (
            BASE,
            {"voice": ReferenceVoice(Audio(np.ones(2400, np.float32), 24000), "", "")},
            BadAudio,
            "0.1 s; 0.5",
        ),
    ],
)
def test_what_cannot_be_is_told(config: QwenTtsConfig, fields: dict[str, Any], error: type, says: str) -> None:
    with pytest.raises(error) as refused:
        read_wishes(speak(**fields), config, DEFAULTS)
    assert says in str(refused.value)


def test_instructions_and_recordings_are_taken() -> None:
    assert read_wishes(speak(instructions=" sadly "), CUSTOM, DEFAULTS).instructions == "sadly"
    assert read_wishes(speak(options={"instruct": "sadly"}), CUSTOM, DEFAULTS).instructions == "sadly"
    assert read_wishes(speak(instructions="An old man"), DESIGN, DEFAULTS).voice is None
    assert read_wishes(speak(voice=CLONED), BASE, DEFAULTS).voice == CLONED


def test_a_field_that_clients_send_to_any_model_is_not_followed_by_one_that_cannot() -> None:
    assert read_wishes(speak(instructions="sadly"), SMALL, DEFAULTS).instructions == ""
    assert read_wishes(speak(voice=CLONED, instructions="sadly"), BASE, DEFAULTS).instructions == ""


def test_a_recording_in_the_options_has_the_same_name_each_time() -> None:
    options = {"prompt_speech": RECORDING, "prompt_text": "Words."}
    one, other = (read_wishes(speak(options=options), BASE, DEFAULTS).voice for _ in range(2))
    assert isinstance(one, ReferenceVoice)
    assert isinstance(other, ReferenceVoice)
    assert one.id == other.id
    assert one.text == "Words."
    options["prompt_speech"] = Audio(RECORDING.samples * 0.5, 24000)
    quieter = read_wishes(speak(options=options), BASE, DEFAULTS).voice
    assert isinstance(quieter, ReferenceVoice)
    assert quieter.id != one.id


def test_how_tokens_are_drawn() -> None:
    assert read_drawing({}, DEFAULTS) == Drawing(0.9, 50, 1.0, 1.05, 0.9, 50, 1.0, 0, None)
    said = {"temperature": 0, "top_k": 5, "seed": 3, "max_tokens": 9, "subtalker_top_k": 7}
    assert read_drawing(said, DEFAULTS) == Drawing(0, 5, 1.0, 1.05, 0, 7, 1.0, 3, 9)
    checkpoint = DrawDefaults(temperature=0.5, sub_top_k=3, repetition_penalty=1.2)
    assert read_drawing({"top_p": 0.5}, checkpoint) == Drawing(0.5, 50, 0.5, 1.2, 0.9, 3, 0.5, 0, None)
