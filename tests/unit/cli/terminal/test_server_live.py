"""The events of /v1/realtime at a terminal, and when a conversation is over."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from speechmlx.cli.terminal.backend import (
    AnswerOver,
    AnswerSound,
    AnswerText,
    PersonSaid,
    PersonSpeaks,
    TalkEvent,
    TalkingOptions,
    TalkTrouble,
)
from speechmlx.cli.terminal.server_live import TalkState, session_settings, talk_event_of

SAID = "conversation.item.input_audio_transcription"


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "session.created"}, None),
        ({"type": "input_audio_buffer.speech_started"}, PersonSpeaks()),
        ({"type": f"{SAID}.completed", "transcript": " Hi. "}, PersonSaid("Hi.")),
        ({"type": "response.output_audio_transcript.delta", "delta": " A"}, AnswerText(" A")),
        ({"type": "response.output_text.delta", "delta": " B"}, AnswerText(" B")),
        ({"type": "response.output_audio.delta", "delta": base64.b64encode(b"\0\1").decode()}, AnswerSound(b"\0\1")),
        (
            {"type": "response.done", "response": {"status": "cancelled", "status_details": None}},
            AnswerOver("cancelled"),
        ),
        (
            {
                "type": "response.done",
                "response": {"status": "failed", "status_details": {"error": {"message": "no model"}}},
            },
            AnswerOver("failed", "no model"),
        ),
        ({"type": "error", "error": {"message": "wrong"}}, TalkTrouble("wrong")),
        ({"type": f"{SAID}.failed", "error": {"message": "deaf"}}, TalkTrouble("deaf")),
    ],
)
def test_events(message: dict[str, Any], event: TalkEvent | None) -> None:
    assert talk_event_of(message) == event


@pytest.mark.parametrize(
    ("kinds", "idle"),
    [
        ([], True),
        (["input_audio_buffer.speech_started"], False),
        (["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"], False),
        (["input_audio_buffer.speech_stopped", f"{SAID}.completed"], True),
        (["input_audio_buffer.speech_stopped", f"{SAID}.failed"], True),
        (["input_audio_buffer.speech_stopped", "response.created", f"{SAID}.completed"], False),
        (["response.created", "response.output_audio.delta"], False),
        (["response.created", "response.done"], True),
    ],
)
def test_when_nothing_is_under_way(kinds: list[str], idle: bool) -> None:
    state = TalkState()
    for kind in kinds:
        state.add(kind)
    assert state.idle is idle


def test_settings() -> None:
    plain = session_settings(TalkingOptions(interrupts=False))
    assert plain["audio"]["input"]["turn_detection"]["interrupt_response"] is False
    assert "output" not in plain["audio"] and plain["instructions"] == ""
    own = session_settings(TalkingOptions(instructions="Be brief.", voice="af_sky", language="de"))
    assert own["audio"]["output"] == {"voice": "af_sky"} and own["instructions"] == "Be brief."
    assert own["audio"]["input"]["transcription"]["language"] == "de"
