"""Events as messages, in both dialects."""

from __future__ import annotations

import base64
import json

import pytest
from support.realtime_wire import Json, read_command, read_session, update, wire

from speechmlx.conversation import events as say
from speechmlx.conversation.settings import Answering
from speechmlx.errors import EngineFailed
from speechmlx.protocols.openai_realtime.schema import Dialect


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


@pytest.mark.parametrize(("given", "expected"), [({}, 0.8), ({"temperature": 0}, 0.0), ({"temperature": 0.6}, 0.6)])
def test_the_temperature_that_beta_is_told(given: Json, expected: float) -> None:
    on = wire("beta")
    session = read_session(on, read_command(on, update(modalities=["text"], **given)))
    response = say.Response(id="r", answering=read_command(on, {"type": "response.create"}).plan.answering)
    created = json.loads(on.send(say.ResponseStarted(response))[0])["response"]
    assert (session["temperature"], created["temperature"]) == (expected, expected)


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
