"""The wire of /v2/listen: numbers on every message, the client's messages, and how connections end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from speechmlx.conversation import commands, events
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.errors import BadAudio, EngineFailed
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.flux import IDLE, FluxWire, flux_settings
from speechmlx.protocols.deepgram.flux_options import flux_options
from speechmlx.protocols.deepgram.live import IDLE_REASON
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.ws import Close, ResumePoint
from speechmlx.types import Kind, Word

MODEL = CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR])
WORDS = events.TranscriptDelta("a", TranscriptUpdate("one", (Word(" one", 0.1, 0.4, 0.9),)))


def opened(query: str = "model=flux-general-en&encoding=linear16&sample_rate=16000") -> FluxWire:
    options = flux_options(QueryParams(query))
    on = FluxWire(options, ListenRequest(id="r", model=MODEL), flux_settings(options, MODEL.name))
    assert read(on.tick(0.0)) == [{"type": "Connected", "request_id": "r", "sequence_id": 0}]
    return on


def read(answers: Any) -> list[dict[str, Any]]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def text(**fields: Any) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\0\0", [commands.Append(audio=b"\0\0")]),
        (b"", [commands.Finish()]),
        (text(type="CloseStream"), [commands.Finish()]),
        (text(type="ForceEndTurn").encode(), [commands.Flush()]),
        (text(type="KeepAlive"), []),
    ],
)
def test_a_message_of_the_client(message: str | bytes, expected: list[commands.Command]) -> None:
    assert list(opened().receive(message)) == expected


def test_every_message_has_the_next_number() -> None:
    on = opened()
    answers = [*on.send(events.SpeechStarted("a", 0.0)), *on.send(WORDS), *on.end()]
    messages = read(answers)
    assert [(each["event"], each["sequence_id"]) for each in messages] == [("StartOfTurn", 1), ("EndOfTurn", 2)]
    assert answers[-1] == Close(1000)


def test_thresholds_key_terms_and_languages_are_changed() -> None:
    on = opened("model=flux-general-multi")
    sent = text(
        type="Configure",
        thresholds={"eot_threshold": 0.9, "eager_eot_threshold": 0.5, "eot_timeout_ms": 900},
        keyterms=["Ada"],
        language_hints=["de"],
    )
    (command,) = on.receive(sent)
    assert isinstance(command, commands.Configure)
    assert command.settings.transcription is not None
    assert (command.settings.transcription.keywords, command.settings.transcription.languages) == (("Ada",), ("de",))
    (answer,) = read(on.send(events.Configured(command.note)))
    assert answer == {
        "type": "ConfigureSuccess",
        "request_id": "r",
        "sequence_id": 1,
        "thresholds": {"eot_threshold": 0.9, "eager_eot_threshold": 0.5, "eot_timeout_ms": 900},
        "keyterms": ["Ada"],
        "language_hints": ["de"],
    }


@pytest.mark.parametrize(
    ("message", "kind", "named"),
    [
        ("hello", "Warning", "JSON"),
        (text(type="Finalize"), "Warning", "Finalize"),
        (text(type="Configure", thresholds={"eot_threshold": 2}), "ConfigureFailure", "eot_threshold"),
        (text(type="Configure", thresholds=3), "ConfigureFailure", "thresholds"),
        (text(type="Configure", keyterms=[1]), "ConfigureFailure", "keyterms"),
        (text(type="Configure", language_hints=["de"]), "ConfigureFailure", "flux-general-multi"),
    ],
)
def test_what_cannot_be_is_named(message: str, kind: str, named: str) -> None:
    on = opened()
    (command,) = on.receive(message)
    assert isinstance(command, commands.Emit)
    (answer,) = read(on.send(command.event))
    assert answer["type"] == kind
    assert named in answer["description"]
    assert on.receive(b"\0\0") == [commands.Append(audio=b"\0\0")]


def test_a_turn_ends_when_its_audio_stays_away() -> None:
    on = opened()
    on.receive(b"\0\0")
    on.tick(1.0)
    on.send(events.SpeechStarted("a", 0.0))
    on.send(WORDS)
    assert on.tick(7.0) == []  # words may be unsure: the session ends its own turn first
    on.send(events.SpeechPaused("a", 0.4, 0.6))
    on.send(events.SpeechStopped("a", 0.8))
    on.send(events.TranscriptDone("a", None, 0.8))  # type: ignore[arg-type]
    (end,) = read(on.tick(8.0))
    assert (end["event"], end["trigger"], end["transcript"]) == ("EndOfTurn", "timeout", "one")


def test_silence_of_the_client_ends_it() -> None:
    on = opened()
    assert not [answer for answer in on.tick(IDLE - 1) if isinstance(answer, Close)]
    assert not [answer for answer in on.tick(IDLE, held=True) if isinstance(answer, Close)]
    assert on.tick(2 * IDLE)[-1] == Close(1011, IDLE_REASON)


def test_audio_that_cannot_be_decoded_ends_it() -> None:
    on = opened("")
    message, close = on.send(events.Failed(BadAudio("noise"), "bad_audio"))
    assert read([message])[0]["type"] == "Error"
    assert close == Close(1008, "DATA-0000: noise")


def test_errors_of_the_engine_are_told() -> None:
    on = opened()
    on.send(events.SpeechStarted("a", 0.0))
    (warning,) = read(on.send(events.TranscriptFailed("a", EngineFailed("broken"))))
    assert (warning["type"], warning["code"], warning["description"]) == ("Warning", "TRANSCRIPTION_FAILED", "broken")


def test_a_client_that_comes_back_is_told_so_and_has_its_time_anew() -> None:
    on = opened()
    on.send(events.SpeechStarted("a", 0.0))
    told = json.loads(on.resume(ResumePoint(25, 2)))
    expected = {"type": "Connected", "request_id": "r", "sequence_id": 1, "resumed": {"received": 25, "sent": 2}}
    assert told == expected
    assert json.loads(on.resume(ResumePoint(0, 0)))["sequence_id"] == 0
    assert on.tick(1000.0) == []
    assert read(on.send(WORDS))[0]["sequence_id"] == 1


def test_another_server_goes_on_in_the_middle_of_a_turn() -> None:
    on = opened()
    on.receive(text(type="Configure", thresholds={"eot_threshold": 0.9}, keyterms=["Ada"]))
    on.send(events.SpeechStarted("a", 0.0))
    (started,) = read(on.send(WORDS))
    assert started["event"] == "StartOfTurn" and on.told == 0
    point = on.point(0.0)
    assert point is not None and point.at == 0.4
    options = flux_options(QueryParams("model=flux-general-en&encoding=linear16&sample_rate=16000"))
    other = FluxWire(options, ListenRequest(id="r", model=MODEL), flux_settings(options, MODEL.name))
    other.restore(json.loads(json.dumps(point.state)), point.at, 7)
    assert other.settings.transcription is not None and other.settings.transcription.keywords == ("Ada",)
    assert other.tick(0.0) == []
    other.send(events.SpeechStarted("b", 0.4))
    more = events.TranscriptDelta("b", TranscriptUpdate("two", (Word(" two", 0.5, 0.8, 0.9),)))
    assert read(other.send(more)) == []
    (end,) = read(other.end())
    assert (end["event"], end["sequence_id"], end["turn_index"]) == ("EndOfTurn", 7, 0)
    assert end["transcript"] == "one two" and other.told == 1
