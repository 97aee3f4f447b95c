"""The wire of /v1/listen: the client's messages, the order of answers, and how connections end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from speechmlx.conversation import commands, events
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import BadAudio, EngineFailed
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.listen_options import listen_options
from speechmlx.protocols.deepgram.live import IDLE, IDLE_REASON, ListenWire, live_settings
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.ws import Answer, Close, ResumePoint
from speechmlx.types import Kind, SpeakerOptions, Word

Message = dict[str, Any]
MODEL = CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR])
PCM = "encoding=linear16&sample_rate=16000"
WORDS = events.TranscriptDelta("a", TranscriptUpdate("one", (Word(" one", 0.1, 0.4, 0.9),)))


def wire(query: str = PCM) -> ListenWire:
    options = listen_options(QueryParams(query))
    return ListenWire(options, ListenRequest(id="r", model=MODEL, tag=options.tag), live_settings(options, MODEL.name))


def opened(query: str = PCM) -> ListenWire:
    """A wire that has sent its first Metadata."""
    on = wire(query)
    on.tick(0.0)
    return on


def read(answers: Any) -> list[Message]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def text(**fields: Any) -> str:
    return json.dumps(fields)


def refused(on: ListenWire, message: str | bytes) -> list[Answer]:
    """What the client gets for a message that is refused."""
    (command,) = on.receive(message)
    assert isinstance(command, commands.Emit)
    return list(on.send(command.event))


def test_metadata_is_first_and_comes_once() -> None:
    on = wire()
    (metadata,) = read(on.tick(0.0))
    assert (metadata["type"], metadata["duration"], metadata["request_id"]) == ("Metadata", 0.0, "r")
    assert on.tick(1.0) == []
    assert read(wire().send(events.Failed(EngineFailed("x"), "engine_failed")))[0]["type"] == "Metadata"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\0\0", [commands.Append(audio=b"\0\0")]),
        (b"", [commands.Finish()]),
        (text(type="KeepAlive"), []),
        (text(type="KeepAlive").encode(), []),
        (text(type="Finalize"), [commands.Flush()]),
        (text(type="Finalize", channel=0), [commands.Flush()]),
        (text(type="CloseStream").encode(), [commands.Finish()]),
    ],
)
def test_a_message_of_the_client(message: str | bytes, expected: list[commands.Command]) -> None:
    assert list(opened().receive(message)) == expected


def test_one_channel_is_finalized() -> None:
    on = opened(f"{PCM}&channels=2&multichannel=true")
    assert on.receive(text(type="Finalize", channel=[1, 2])) == [
        commands.ToChannel(channel=1, command=commands.Flush())
    ]
    assert "0 to 1" in read(refused(on, text(type="Finalize", channel=2)))[0]["description"]


def test_nothing_is_heard_after_the_end() -> None:
    on = opened()
    on.receive(text(type="CloseStream"))
    assert on.receive(b"\0\0") == on.receive("no JSON") == []


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("hello", "JSON"),
        ("[1]", "object"),
        (text(type="Speak"), "Speak"),
        (text(type="Configure", keyterms="a"), "keyterms"),
        (text(type="Finalize", channel="left"), "channel"),
    ],
)
def test_a_message_that_is_not_understood_is_named(message: str, named: str) -> None:
    (error,) = read(refused(opened(), message))
    assert (error["type"], error["variant"], error["message"]) == ("Error", "SchemaError", message)
    assert named in error["description"]


def test_key_terms_are_changed() -> None:
    on = opened(f"{PCM}&keyterm=old")
    (command,) = on.receive(text(type="Configure", keyterms=["Ada", "Ada", " "], features={"numerals": True}))
    assert isinstance(command, commands.Configure)
    assert command.settings.transcription is not None
    assert command.settings.transcription.keywords == ("Ada",)
    (answer,) = read(on.send(events.Configured(command.note)))
    assert answer == {"type": "ConfigureSuccess", "request_id": "r", "keyterms": ["Ada"]}
    (command,) = on.receive(text(type="Configure"))
    assert isinstance(command, commands.Configure)
    (answer,) = read(on.send(events.Configured(command.note)))
    assert "keyterms" not in answer
    (failure,) = read(refused(on, text(type="Configure", keyterms=[f"k{number}" for number in range(101)])))
    assert (failure["type"], failure["code"]) == ("ConfigureFailure", "CONFIGURE_KEYTERM_LIMIT_EXCEEDED")


def test_the_end_is_a_result_a_summary_and_a_close() -> None:
    on = opened(f"{PCM}&tag=t")
    on.receive(text(type="CloseStream"))
    on.send(events.Advanced(2.5, 2.5, 2.5, False))
    *messages, close = on.end()
    result, metadata = read(messages)
    assert (result["is_final"], result["start"], result["duration"]) == (True, 0.0, 2.5)
    assert (metadata["type"], metadata["duration"], metadata["tags"]) == ("Metadata", 2.5, ["t"])
    assert close == Close(1000)


def test_events_of_channels_are_told_apart() -> None:
    on = opened(f"{PCM}&channels=2&multichannel=true")
    assert on.count == 2
    steps: list[events.Event] = [events.SpeechStarted("a", 0.0), WORDS, events.SpeechStopped("a", 1.0)]
    for step in steps:
        on.send(events.OnChannel(1, step))
    (result,) = read(on.send(events.OnChannel(1, events.TranscriptDone("a", Transcript("one"), 1.0))))
    assert (result["channel_index"], result["channel"]["alternatives"][0]["transcript"]) == ([1, 2], "one")


def test_silence_of_the_client_ends_it() -> None:
    on = opened()
    on.send(events.SpeechStarted("a", 0.0))
    on.send(WORDS)
    on.receive(text(type="KeepAlive"))
    assert on.tick(5.0) == []
    assert on.tick(5.0 + IDLE - 0.1) == []
    assert on.tick(5.0 + IDLE, held=True) == []  # it may send, and is not read
    *messages, close = on.tick(5.0 + 2 * IDLE)
    assert read(messages)[0]["channel"]["alternatives"][0]["transcript"] == "one"
    assert close == Close(1011, IDLE_REASON)
    assert len(IDLE_REASON.encode()) <= 123


def test_a_client_that_comes_back_is_told_so_and_has_its_time_anew() -> None:
    on = opened()
    on.send(events.Advanced(2.5, 2.5, 2.5, False))
    on.tick(1.0)
    told = json.loads(on.resume(ResumePoint(25, 3)))
    assert (told["type"], told["request_id"], told["duration"]) == ("Metadata", "r", 2.5)
    assert told["resumed"] == {"received": 25, "sent": 3}
    assert on.tick(1000.0) == [] == on.tick(1000.0 + IDLE - 0.1)
    assert list(on.tick(1000.0 + IDLE))[-1] == Close(1011, IDLE_REASON)


def test_the_engine_has_its_time_after_the_end_of_the_stream() -> None:
    on = opened()
    on.receive(text(type="CloseStream"))
    assert on.tick(1000.0) == on.tick(2000.0) == []


def test_audio_that_cannot_be_decoded_ends_it() -> None:
    on = opened("")
    (close,) = on.send(events.Failed(BadAudio("the audio is noise"), "bad_audio"))
    assert close == Close(1008, "DATA-0000: the audio is noise")


def test_a_broken_end_of_the_audio_takes_no_words_away() -> None:
    on = opened("")
    on.receive(text(type="CloseStream"))
    assert on.send(events.Failed(BadAudio("cut"), "bad_audio")) == []
    on.send(events.SpeechStarted("a", 0.0))
    on.send(WORDS)
    (result,) = read(on.send(events.TranscriptDone("a", Transcript("one"), 1.0)))
    assert result["channel"]["alternatives"][0]["transcript"] == "one"
    assert on.end()[-1] == Close(1008, "DATA-0000: cut")


@pytest.mark.parametrize(("head", "is_audio"), [(b"OggS" + bytes(8), True), (b"\xfc\x01\x02", False)])
def test_opus_needs_a_container(head: bytes, is_audio: bool) -> None:
    on = opened("encoding=opus")
    if is_audio:
        assert on.receive(head) == [commands.Append(audio=head)]
        return
    (close,) = refused(on, head)
    assert isinstance(close, Close)
    assert close.code == 1008
    assert "Ogg or WebM" in close.reason


def test_errors_of_the_engine_are_told() -> None:
    on = opened()
    on.send(events.SpeechStarted("a", 0.0))
    result, error = read(on.send(events.TranscriptFailed("a", EngineFailed("broken"))))
    assert (result["is_final"], error["variant"], error["description"]) == (True, "engine_failed", "broken")
    (error,) = read(on.send(events.Failed(EngineFailed("no ears"), "engine_failed")))
    assert error["description"] == "no ears"


@pytest.mark.parametrize(
    ("query", "silence"),
    [("", 0.2), ("&endpointing=300", 0.3), ("&endpointing=5000", 1.0), ("&endpointing=false", 1.0)],
)
def test_the_silence_that_ends_a_turn(query: str, silence: float) -> None:
    settings = live_settings(listen_options(QueryParams(PCM + query)), "m")
    assert settings.turns is not None
    assert settings.turns.silence == silence


def test_options_reach_the_recogniser() -> None:
    query = f"{PCM}&keyterm=Ada&language=fr&diarize=true"
    transcription = live_settings(listen_options(QueryParams(query)), "m").transcription
    assert transcription is not None
    assert (transcription.model, transcription.language, transcription.keywords) == ("m", "fr", ("Ada",))
    assert transcription.speakers == SpeakerOptions()
    assert transcription.words


def handed_over(on: ListenWire, settled: float, query: str = PCM) -> tuple[ListenWire, float]:
    """A wire at another server that goes on where this one is, and the seconds of audio there."""
    point = on.point(settled)
    assert point is not None
    other = wire(query)
    other.restore(json.loads(json.dumps(point.state)), point.at, 5)
    return other, point.at


def test_another_server_goes_on_after_the_last_final_word() -> None:
    """In mid-turn: the first sentence is told, what follows of it is not."""
    on = opened(f"{PCM}&keyterm=old&utterance_end_ms=1000")
    on.receive(text(type="Configure", keyterms=["Ada"]))
    on.send(events.SpeechStarted("a", 0.5))
    spoken = (Word(" One.", 1.0, 1.4, 0.9), Word(" Two", 1.5, 1.9, 0.9))
    before = on.told
    (result,) = read(on.send(events.TranscriptDelta("a", TranscriptUpdate("One. Two", spoken))))
    assert result["channel"]["alternatives"][0]["transcript"] == "one" and on.told == before + 1
    other, at = handed_over(on, 0.5, f"{PCM}&keyterm=old&utterance_end_ms=1000")
    assert at == 1.4
    assert other.settings.transcription is not None and other.settings.transcription.keywords == ("Ada",)
    assert json.loads(other.resume(ResumePoint(3, 5)))["duration"] == 1.4
    assert read(other.tick(0.0)) == []
    other.send(events.SpeechStarted("b", 1.4))
    other.send(events.TranscriptDelta("b", TranscriptUpdate("Two", spoken[1:])))
    (result,) = read(other.send(events.TranscriptDone("b", Transcript("two"), 1.0)))
    assert (result["start"], result["channel"]["alternatives"][0]["words"][0]["start"]) == (1.4, 1.5)
    assert other.told == before + 2


def test_another_server_ends_what_was_said_if_nobody_goes_on() -> None:
    on = opened(f"{PCM}&endpointing=300")
    on.send(events.SpeechStarted("a", 0.5))
    on.send(
        events.TranscriptDelta(
            "a", TranscriptUpdate("One. Two", (Word(" One.", 1.0, 1.4, 0.9),), (Word(" Two", 1.5, 1.9, 0.9),))
        )
    )
    other, at = handed_over(on, 0.5, f"{PCM}&endpointing=300")
    assert read(other.send(events.Advanced(at + 0.4, at + 0.4, 3.0, False))) == []
    (result,) = read(other.send(events.Advanced(at + 0.6, at + 0.6, 3.0, False)))
    assert result["speech_final"] and result["channel"]["alternatives"][0]["words"] == []


def test_several_channels_are_at_different_places() -> None:
    assert opened(f"{PCM}&channels=2&multichannel=true").point(1.0) is None
    assert wire().point(0.0) is None, "nothing was said yet"
