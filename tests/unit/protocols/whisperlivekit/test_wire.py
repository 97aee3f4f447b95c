"""The wire of /asr as a table: audio in, updates out, when they go out, errors and the end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from support.asr_client import AsrClient
from support.encoded_audio import encode

from speechmlx.conversation.commands import Append, Command, Configure, Finish
from speechmlx.conversation.events import (
    Advanced,
    Configured,
    Event,
    Failed,
    SpeechStarted,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import BadAudio, EngineLost
from speechmlx.protocols.whisperlivekit import messages
from speechmlx.protocols.whisperlivekit.query import PCM, AsrQuery, session_settings
from speechmlx.protocols.whisperlivekit.wire import LINGER, STEP, WhisperLiveKitWire
from speechmlx.protocols.ws import Answer, Close, ResumePoint
from speechmlx.types import Word

WAV = encode("wav", "pcm_s16le")
START = SpeechStarted("a", 0.0)


class Bench:
    """A wire with a clock that the test sets. `client` takes its messages."""

    def __init__(self, query: AsrQuery) -> None:
        self.now = 0.0
        self.wire = WhisperLiveKitWire(session_settings(query), query, lambda: self.now)
        self.client = AsrClient()
        self.sent: list[Answer] = []

    def send(self, *events: Event, after: float = 1.0) -> list[dict[str, Any]]:
        """The messages for events that come `after` seconds each."""
        found: list[Answer] = []
        for event in events:
            self.now += after
            found += self.wire.send(event)
        return self._taken(found)

    def tick(self, after: float = 1.0) -> list[dict[str, Any]]:
        self.now += after
        return self._taken(self.wire.tick(self.now))

    def end(self) -> list[dict[str, Any]]:
        return self._taken(self.wire.end())

    def _taken(self, answers: Iterable[Answer]) -> list[dict[str, Any]]:
        texts = [answer for answer in answers if isinstance(answer, str)]
        self.client.take_all(texts)
        return [json.loads(text) for text in texts]


def bench(**query: Any) -> Bench:
    return Bench(AsrQuery(**query))


def said(text: str, start: float = 0.0, tail: str = "") -> TranscriptDelta:
    words = tuple(Word(f" {word}", start + n / 2, start + n / 2 + 0.5, 0.9) for n, word in enumerate(text.split()))
    unsure = tuple(Word(f" {word}", start, start, 0.5) for word in tail.split())
    return TranscriptDelta("a", TranscriptUpdate(text, words, unsure))


def received(wire: WhisperLiveKitWire, *pieces: str | bytes) -> list[Command]:
    return [command for piece in pieces for command in wire.receive(piece)]


# --- from the client ---


def test_pcm_comes_as_it_is_also_with_odd_bytes() -> None:
    audio = bytes(range(1, 200))
    commands = received(bench().wire, audio[:7], audio[7:50], audio[50:51], audio[51:])
    assert [type(command) for command in commands] == [Append] * 3
    assert b"".join(command.audio for command in commands if isinstance(command, Append)) == audio


def test_a_container_changes_the_format_before_its_first_bytes() -> None:
    pieces = [WAV[:5], WAV[5:9], WAV[9:100], WAV[100:200]]
    commands = received(bench().wire, *pieces)
    configure, *appended = commands
    assert isinstance(configure, Configure)
    assert configure.settings.input.encoding == "container"
    assert replace(configure.settings, input=PCM) == session_settings(AsrQuery())
    assert [command.audio for command in appended if isinstance(command, Append)] == [WAV[:100], WAV[100:200]]


def test_an_empty_message_ends_the_audio_and_what_follows_is_ignored() -> None:
    wire = bench().wire
    assert received(wire, b"\0" * 100, b"", b"\1" * 100, b"") == [Append(audio=b"\0" * 100), Finish()]


def test_the_end_brings_what_was_too_short_to_tell_a_container() -> None:
    assert received(bench().wire, b"\1\2\3", b"") == [Append(audio=b"\1\2\3"), Finish()]
    assert received(bench().wire, b"") == [Finish()]


def test_texts_are_ignored() -> None:
    assert received(bench().wire, '{"type": "KeepAlive"}', "", "anything") == []


# --- updates ---


def test_before_any_audio_there_is_an_empty_update() -> None:
    (update,) = bench().tick()
    assert (update["status"], update["lines"]) == ("no_audio_detected", [])
    (snapshot,) = bench(mode="diff").tick()
    assert (snapshot["type"], snapshot["seq"], snapshot["status"]) == ("snapshot", 1, "no_audio_detected")


def test_an_update_comes_when_words_come_and_not_when_nothing_changed() -> None:
    wire = bench()
    assert [len(wire.send(event)) for event in (START, said("one"), Configured(), START, said("", tail="two"))] == [
        1,
        1,
        0,
        0,
        1,
    ]
    assert wire.client.text == "one two"


def test_updates_are_at_least_a_step_apart_and_the_next_event_brings_what_waits() -> None:
    wire = bench()
    wire.tick()
    assert len(wire.send(START, said("one"), said("two", 0.5), after=STEP * 0.6)) == 1
    assert wire.client.text == "one"
    assert len(wire.send(Advanced(1.0, 1.0, 1.0, True), after=STEP)) == 1
    assert wire.client.text == "one two"


def test_a_tick_brings_what_waits() -> None:
    wire = bench()
    wire.tick()
    wire.send(START, said("one"), said("two", 0.5), after=STEP * 0.6)
    assert wire.client.text == "one"
    assert len(wire.tick()) == 1 and wire.client.text == "one two"
    assert wire.tick() == []


def test_a_thousand_events_in_a_second_are_twenty_updates() -> None:
    wire = bench()
    wire.send(START)
    assert 15 <= len(wire.send(*(said("word", n / 10) for n in range(1000)), after=0.001)) <= 20
    wire.end()
    assert wire.client.committed.split() == ["word"] * 1000


def test_long_full_updates_are_rarer() -> None:
    wire = bench()
    wire.send(START, *(said("word.", n / 2) for n in range(3000)), after=0.0)
    wire.tick()
    assert len(json.dumps(wire.client.state)) > 200_000
    assert len(wire.send(*(said("word.", n / 2) for n in range(3000, 4000)), after=0.001)) < 6


def test_a_change_of_times_alone_waits_for_the_tick() -> None:
    wire = bench()
    wire.tick()
    assert wire.send(Advanced(1.0, 0.5, 2.0, True), Advanced(1.0, 0.5, 2.3, True)) == []
    (update,) = wire.tick()
    assert update["remaining_time_transcription"] == update["remaining_time_transcription_processing"] == 1.8


def test_remaining_times() -> None:
    wire = bench(diarization=True)
    wire.send(START, said("one two"), Advanced(2.0, 1.75, 2.5, True))
    waiting = TranscriptUpdate("", (), (), unattributed=(Word(" three", 1.0, 1.5, 0.9),))
    (update,) = wire.send(TranscriptDelta("a", waiting))
    names = ("transcription", "transcription_processing", "transcription_policy", "diarization")
    assert [update[f"remaining_time_{name}"] for name in names] == [0.8, 0.8, 0.8, 1.5]
    wire.send(TranscriptDone("a", Transcript(""), 2.0))
    update, ready = wire.end()
    assert [update[f"remaining_time_{name}"] for name in names] == [0.0] * 4 and ready["type"] == "ready_to_stop"


def test_times_with_centiseconds() -> None:
    wire = bench(centiseconds=True)
    (update,) = wire.send(said("one", 61.25))[-1:]
    assert [(line["start"], line["end"]) for line in update["lines"]] == [("0:01:01.25", "0:01:01.75")]


# --- errors ---


def test_an_error_of_a_model_is_told_until_words_come_again() -> None:
    wire = bench()
    wire.send(START, said("one"))
    (update,) = wire.send(TranscriptFailed("a", EngineLost("the engine process ended")))
    assert (update["status"], update["error"]) == ("error", "the engine process ended")
    assert [line["text"] for line in update["lines"]] == ["one"]
    (update,) = wire.send(SpeechStarted("b", 2.0), TranscriptDelta("b", said("two", 2.0).update))
    assert update["status"] == "active_transcription" and "error" not in update


def test_an_error_does_not_wait_and_is_told_once() -> None:
    wire = bench()
    wire.send(START, said("one"))
    failed = Failed(EngineLost("gone"), "engine_lost")
    assert len(wire.send(failed, failed, failed, after=STEP / 10)) == 1
    assert wire.client.errors == ["gone"]


def test_a_container_that_cannot_be_decoded_is_an_ffmpeg_error() -> None:
    wire = bench(mode="diff")
    received(wire.wire, WAV)
    (snapshot,) = wire.send(Failed(BadAudio("the audio is broken"), "bad_audio"))
    assert (snapshot["status"], snapshot["error"]) == ("error", "FFmpeg error: the audio is broken")
    assert wire.end() == [{"type": "ready_to_stop"}]


# --- the end ---


@pytest.mark.parametrize("mode", ["full", "diff"])
def test_the_end_closes_all_lines_before_ready_to_stop(mode: str) -> None:
    wire = bench(mode=mode)
    wire.send(START, said("one", tail="two"), said("two", 0.5), after=STEP * 0.6)
    wire.end()
    assert wire.client.is_ready and wire.client.committed == wire.client.text == "one two"


def test_a_client_that_stays_is_left_open_for_a_minute() -> None:
    wire = bench()
    wire.tick()
    wire.end()
    assert wire.tick() == [] and wire.wire.tick(wire.now + LINGER - 2) == ()
    assert wire.wire.tick(wire.now + LINGER) == [Close(1000, "the transcript is complete")]


def test_a_client_that_comes_back_gets_the_first_message_again() -> None:
    query = AsrQuery(mode="diff")
    told = json.loads(WhisperLiveKitWire(session_settings(query), query).resume(ResumePoint(2, 5)))
    assert (told["type"], told["mode"], told["resumed"]) == ("config", "diff", {"received": 2, "sent": 5})


@pytest.mark.parametrize("mode", ["full", "diff"])
def test_another_server_goes_on_with_the_lines(mode: str) -> None:
    """The open line is closed; lines and numbers go on."""
    query = AsrQuery(mode=mode)
    one, other = Bench(query), Bench(query)
    one.wire.receive(bytes(64))
    first = TranscriptUpdate("One. two", (Word(" One.", 1.0, 1.4, 0.9), Word(" two", 1.5, 1.9, 0.9)))
    sent = one.tick() + one.send(START, TranscriptDelta("a", first))
    assert one.wire.told == 1
    point = one.wire.point(0.0)
    assert point is not None and point.at == 1.9 and point.cumulative == (mode == "full")
    other.wire.restore(json.loads(json.dumps(point.state)), point.at, len(sent) + 1)
    other.client = one.client
    rest = TranscriptUpdate("three", (Word(" three", 2.0, 2.4, 0.9),))
    other.send(SpeechStarted("b", 1.9), TranscriptDelta("b", rest), TranscriptDone("b", Transcript("three"), 1.0))
    other.end()
    assert [line["text"] for line in one.client.lines if line["text"]] == ["One.", "two", "three"]


def test_another_server_gets_the_newest_lines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "HANDED_OVER", 20_000)
    one = Bench(AsrQuery())
    one.wire.receive(bytes(64))
    one.send(START)
    for n in range(300):
        one.send(TranscriptDelta("a", TranscriptUpdate(f"Line {n}.", (Word(f" Line {n}.", float(n), n + 0.5, 0.9),))))
    point = one.wire.point(0.0)
    assert point is not None and len(json.dumps(point.state)) < 30_000
    other = Bench(AsrQuery())
    other.wire.restore(point.state, point.at, 300)
    shown = other.tick()[-1]["lines"]
    assert shown[-1]["text"] == "Line 299." and 100 < len(shown) < 300


def test_a_container_is_not_handed_over() -> None:
    one = Bench(AsrQuery())
    assert one.wire.point(0.0) is None, "it is not known yet what the audio is"
    one.wire.receive(WAV)
    assert one.wire.point(0.0) is None
