"""Voices that a session may name."""

from __future__ import annotations

import pytest
from support.realtime_wire import Json, read_command, read_error, update, wire

from speechmlx.models.catalog import CATALOG

SPEAKER = CATALOG.resolve("kokoro-82m")


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
    on.speaker = SPEAKER
    before = on.session
    error = read_error(on, update(**given))
    assert (error["code"], error["param"], on.session) == ("invalid_value", param, before)
    assert "GET /v1/audio/voices" in error["message"]
    assert "af_hart" not in str(given) or "are: af_heart" in error["message"]
    response = {key: value for key, value in given.items() if key != "type"}
    error = read_error(on, {"type": "response.create", "response": response})
    assert error["param"] == param.replace("session", "response")


@pytest.mark.parametrize(
    "voice", ["af_heart", "alloy", "marin", "af_heart*0.7+bm_george", "AF_Heart", "NATF2", "en_female_calm"]
)
def test_voices_that_there_are_and_presets(voice: str) -> None:
    on = wire()
    on.speaker = SPEAKER
    name = read_command(on, update(type="realtime", audio={"output": {"voice": voice}})).settings.answering.voice.name
    assert name == voice


def test_any_voice_where_it_is_not_known_which_there_are() -> None:
    command = read_command(wire(), update(type="realtime", audio={"output": {"voice": "nobody"}}))
    assert command.settings.answering.voice.name == "nobody"
