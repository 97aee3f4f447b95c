"""What sessions say of transcription: models, languages, and sessions that only transcribe."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.realtime_wire import read_command, read_session, update, wire

from speechmlx.conversation import events as say
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.settings import Transcription
from speechmlx.protocols.openai_realtime.wire import RealtimeWire


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
    assert (RealtimeWire("ga", model, True, 1_000_000).settings.turns is not None) == turns
    typed: dict[str, Any] = {"type": "transcription", "audio": {"input": {"transcription": {"model": model}}}}
    flat = {"input_audio_transcription": {"model": model}}
    for on, message in (
        (wire(transcribes=True), update(**typed)),
        (wire("beta", transcribes=True), {"type": "transcription_session.update", "session": flat}),
    ):
        assert (read_command(on, message).settings.turns is not None) == turns
    asked = {**typed["audio"]["input"], "turn_detection": {"type": "server_vad"}}
    assert read_command(wire(transcribes=True), update(type="transcription", audio={"input": asked})).settings.turns
    answers = wire()
    assert read_command(answers, update(type="realtime", audio=typed["audio"])).settings.turns


def test_what_transcription_takes() -> None:
    on = wire()
    given = {"model": "m", "languages": ["de", "en"], "keywords": ["Kokoro"], "delay": "low"}
    logprobs = ["item.input_audio_transcription.logprobs"]
    command = read_command(on, update(type="realtime", include=logprobs, audio={"input": {"transcription": given}}))
    assert command.settings.transcription == Transcription(
        model="m", languages=("de", "en"), keywords=("Kokoro",), whole=True, logprobs=True
    )
    session = read_session(on, command)
    assert (session["include"], session["audio"]["input"]["transcription"]) == (logprobs, given)
    done = json.loads(
        on.send(say.TranscriptDone("i", Transcript("x", language="en", logprobs=((b"x", -0.5),)), 1.0, 1, True))[0]
    )
    assert done["content_index"] == 1
    assert done["languages"] == [{"code": "en"}]
    assert done["logprobs"] == [{"token": "x", "bytes": [120], "logprob": -0.5}]
    command = read_command(on, update(include=["step.details"], audio={"input": {"transcription": {"language": ""}}}))
    assert command.settings.transcription.language is None and not command.settings.transcription.logprobs


def test_the_model_of_the_address_transcribes() -> None:
    on = RealtimeWire("ga", "m", True, 1_000_000)
    assert on.settings.transcription == Transcription(whole=True, model="m")
    (created,) = on.greeting()
    assert json.loads(created)["session"]["audio"]["input"]["transcription"] == {"model": "m"}


def test_a_session_that_only_transcribes_has_no_say_in_answers() -> None:
    on = wire(transcribes=True)
    session = read_session(
        on, read_command(on, update(type="transcription", parallel_tool_calls=True, temperature=0.5))
    )
    assert session.keys() == on.session.keys() == wire(transcribes=True).session.keys()


def test_languages_of_a_transcription_go_by_any_of_their_names() -> None:
    for said, meant in (("English", "en"), ("pt-BR", "pt"), ("nb", "no"), ("cmn", "zh"), (" ", None), ("auto", None)):
        given = {"model": "m", "language": said, "languages": [said, "iw"]}
        command = read_command(wire(), update(type="realtime", audio={"input": {"transcription": given}}))
        assert command.settings.transcription.language == meant
        assert command.settings.transcription.languages == tuple(filter(None, (meant, "he")))
