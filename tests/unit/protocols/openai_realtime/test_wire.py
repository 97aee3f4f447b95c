"""The wire's dialects, and commands of responses and of playback."""

from __future__ import annotations

import json

import pytest
from support.realtime_wire import read_command, read_error, update, wire

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.events import ItemAdded, SpeechStarted, TranscriptDone
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import TurnTaking
from speechmlx.protocols.openai_realtime.kept_conversation import KeptConversation
from speechmlx.protocols.openai_realtime.schema import Dialect
from speechmlx.protocols.openai_realtime.wire import event_id
from speechmlx.protocols.ws import Close, ResumePoint


def test_a_flat_update_without_beta_in_the_handshake_is_the_small_servers_client() -> None:
    on = wire()
    command = read_command(on, update(modalities=["audio", "text"]))
    assert on.dialect == "beta"
    assert command.settings.turns is None
    respond = read_command(on, {"type": "response.create"})
    assert respond.commits
    command = read_command(on, update(voice="ash"))
    assert command.settings.turns is None


def test_a_flat_update_keeps_the_turns_that_were_chosen() -> None:
    on = wire()
    read_command(on, update(type="realtime", audio={"input": {"turn_detection": {"type": "semantic_vad"}}}))
    assert read_command(on, update(voice="ash")).settings.turns == TurnTaking(eagerness="medium")


def test_a_typed_update_makes_it_ga_again() -> None:
    on = wire("beta")
    read_command(on, update(type="realtime"))
    assert on.dialect == "ga"
    assert not read_command(on, {"type": "response.create"}).commits


@pytest.mark.parametrize(("end", "seconds"), [(-5, -0.005), (10.0, 0.01), (10**400, 1e9)])
def test_any_number_says_where_an_answer_was_cut(end: float, seconds: float) -> None:
    given = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": end}
    assert read_command(wire(), given).seconds == seconds
    assert read_error(wire(), {**given, "audio_end_ms": "soon"})["param"] == "audio_end_ms"


def test_a_response_to_order() -> None:
    on = wire()
    read_command(on, update(type="realtime", instructions="of the session"))
    given = {"instructions": "of this", "audio": {"output": {"format": {"type": "audio/pcma"}}}, "metadata": {"a": "b"}}
    plan = read_command(on, {"type": "response.create", "response": given}).plan
    assert plan.answering.instructions == "of this"
    assert plan.answering.voice.format == AudioFormat("alaw", 8000)
    assert plan.metadata == {"a": "b"}
    assert on.settings.answering.instructions == "of the session"


@pytest.mark.parametrize(
    ("dialect", "transcribes", "kind"),
    [
        ("ga", False, "session.created"),
        ("ga", True, "session.created"),
        ("beta", False, "session.created"),
        ("beta", True, "transcription_session.created"),
    ],
)
def test_a_client_that_comes_back_gets_its_session(dialect: str, transcribes: bool, kind: str) -> None:
    on = wire(dialect, transcribes)  # type: ignore[arg-type]
    first, told = json.loads(on.greeting()[0]), json.loads(on.resume(ResumePoint(7, 9)))
    assert told["type"] == kind and told["resumed"] == {"received": 7, "sent": 9}
    assert told["session"] == first["session"] and told["event_id"] != first["event_id"]


def test_the_event_id_of_a_message() -> None:
    on = wire()
    message = on.resume(ResumePoint(0, 0))
    assert event_id(message) == json.loads(message)["event_id"]
    assert event_id(b"sound") is event_id(Close()) is event_id('{"type": "x"}') is None


def test_another_server_goes_on_with_a_transcription_session() -> None:
    on, other = wire("beta", transcribes=True), wire(transcribes=True)
    read_command(on, {"type": "transcription_session.update", "session": {"input_audio_format": "g711_ulaw"}})
    for event in (SpeechStarted("item_1", 0.5), TranscriptDone("item_1", Transcript("one"), 1.0)):
        on.send(event)
    assert on.told == 2
    point = on.point(1.5)
    assert point is not None and point.at == 1.5
    other.restore(json.loads(json.dumps(point.state)), point.at, 5)
    assert (other.session, other.dialect, other.told) == (on.session, "beta", 2)
    assert json.loads(other.resume(ResumePoint(2, 5)))["type"] == "transcription_session.created"


def test_a_conversation_is_on_its_own_server_alone() -> None:
    assert wire().point(1.0) is None


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_conversation_goes_on_at_another_wire(dialect: Dialect) -> None:
    on, other = wire(dialect), wire()
    assert on.point(1.0) is None, "nobody keeps it"
    on.kept = KeptConversation()
    read_command(on, update(voice="ash") if dialect == "beta" else update(type="realtime", instructions="Be brief."))
    on.send(ItemAdded(Item(id="a"), None))
    point = on.point(1.0)
    assert point is not None and point.once and on.told == 1
    other.restore(json.loads(json.dumps(point.state)), 1.0, 3)
    assert (other.dialect, other.session, other.conversation) == (dialect, on.session, on.conversation)
    assert other.kept is not None
    assert other.kept.start(other.settings.answering, ()).items == (Item(id="a"),)
    assert other.told == 1 and other.point(1.0) == point
