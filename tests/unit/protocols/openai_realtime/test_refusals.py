"""Messages that the wire refuses: the code and the parameter of each error."""

from __future__ import annotations

import pytest
from support.realtime_wire import Json, read_error, update, wire


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
        (update(pronunciations={"Nguyen": 3}), "invalid_value", "session.pronunciations"),
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
    error = read_error(wire(), message)
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)


def test_a_failure_of_its_own_is_an_error_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    on = wire()
    monkeypatch.setattr(on, "_commands", lambda given, ref: 1 // 0)
    error = read_error(on, {"type": "response.create", "event_id": "mine"})
    assert (error["type"], error["code"], error["event_id"]) == ("server_error", "engine_failed", "mine")


def test_an_unknown_event_is_named_and_its_id_told() -> None:
    error = read_error(wire(), {"type": "dance", "event_id": "mine"})
    assert error["message"] == "Unknown event type: dance"
    assert error["event_id"] == "mine"


def test_a_refused_update_changes_nothing() -> None:
    on = wire()
    before = on.settings
    read_error(on, update(type="realtime", instructions="new", audio={"output": {"speed": 9}}))
    assert on.settings == before
