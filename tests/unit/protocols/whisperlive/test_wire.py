"""The messages of a WhisperLive connection, as tables; and exactly once, whatever the words do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.whisperlive_reader import WhisperLiveReader, text_of

from speechmlx.conversation import events
from speechmlx.conversation.commands import Append, Emit, Finish, Flush
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import EngineFailed
from speechmlx.protocols.whisperlive.options import ClientOptions
from speechmlx.protocols.whisperlive.series import WhisperLiveSeries
from speechmlx.protocols.whisperlive.wire import LAST_WORDS, MAX_CONNECTION, WhisperLiveWire, newest
from speechmlx.protocols.ws import Close, ResumePoint
from speechmlx.runtime.front.metrics import Metrics
from speechmlx.types import Word


def wire(**options: Any) -> WhisperLiveWire:
    return WhisperLiveWire(ClientOptions(uid="u", **options), WhisperLiveSeries(Metrics()))


def words(text: str, start: float = 0.0) -> tuple[Word, ...]:
    return tuple(Word(f" {word}", start + n, start + n + 1.0, 0.9) for n, word in enumerate(text.split()))


def delta(text: str, tail: str = "", start: float = 0.0, item: str = "a", **fields: Any) -> events.TranscriptDelta:
    found = words(text, start)
    update = TranscriptUpdate(text, found, words(tail, start + len(found)), **fields)
    return events.TranscriptDelta(item, update)


def done(item: str = "a") -> events.TranscriptDone:
    return events.TranscriptDone(item, Transcript(""), 1.0)


def told(one: WhisperLiveWire, *given: Any) -> list[Any]:
    """The messages of the events, without their uid."""
    found = []
    for event in given:
        for answer in one.send(event):
            assert isinstance(answer, str)
            message = json.loads(answer)
            assert message.pop("uid") == "u"
            found.append(message)
    return found


def texts(messages: list[Any]) -> list[list[tuple[str, bool]]]:
    return [[(segment["text"], segment["completed"]) for segment in message["segments"]] for message in messages]


def test_the_greeting_comes_first_and_warnings_before_it() -> None:
    starts: list[float] = []
    series = WhisperLiveSeries(Metrics())
    one = WhisperLiveWire(ClientOptions(uid="u"), series, ["no such model"], starts.append)
    assert one.tick(5.0) == [
        '{"uid": "u", "status": "WARNING", "message": "no such model"}',
        '{"uid": "u", "message": "SERVER_READY", "backend": "faster_whisper"}',
    ]
    assert (one.tick(6.0), starts, series.connections) == ([], [5.0], 1)


@pytest.mark.parametrize("end", ["END_OF_AUDIO", b"END_OF_AUDIO"])
def test_audio_then_its_end(end: str | bytes) -> None:
    one = wire()
    assert one.receive(b"\0\1\2") == [Append(audio=b"\0\1\2")]
    assert one.receive(end) == [Finish()]
    assert [one.receive(message) for message in (b"\0", end)] == [[], []]


def test_another_text_is_an_error() -> None:
    one = wire()
    (command,) = one.receive("hello")
    assert isinstance(command, Emit)
    (error,) = told(one, command.event)
    assert error["status"] == "ERROR" and "'hello' means nothing here" in error["message"]


def test_a_segment_opens_grows_and_is_completed_with_the_text_that_it_had() -> None:
    messages = told(
        wire(), delta("", "one"), delta("one", "two three"), delta("", "two"), delta("two", start=1.0), done()
    )
    assert texts(messages) == [
        [(" one", False)],
        [(" one two three", False)],
        [(" one two", False)],
        [(" one two", True)],
    ]
    assert messages[-1]["segments"] == [{"start": "0.000", "end": "2.000", "text": " one two", "completed": True}]


def test_a_client_that_ends_with_the_open_segment_has_no_word_twice() -> None:
    """Where the last words differ from those that were shown, they are shown before they are completed."""
    messages = told(wire(), delta("one", "to"), done())
    assert texts(messages) == [[(" one to", False)], [(" one", False)], [(" one", True)]]
    vanished = told(wire(), delta("", "to"), done())
    assert texts(vanished) == [[(" to", False)], [("", False)]]


def test_sentences_are_segments_and_the_last_ones_are_repeated() -> None:
    one = wire(last_segments=2)
    messages = told(one, delta("One. Two. Three. Four"), done())
    assert texts(messages) == [
        [(" One.", True), (" Two.", True)],
        [(" Two.", True), (" Three.", True), (" Four", False)],
        [(" Three.", True), (" Four", True)],
    ]


def test_turns_are_told_in_the_order_in_which_they_were_said() -> None:
    early = told(
        one := wire(),
        events.SpeechStarted("a", 0.0),
        events.SpeechStarted("b", 5.0),
        delta("two", item="b", start=5.0),
        done("b"),
    )
    assert early == []
    messages = told(one, delta("one"), done("a"))
    assert texts(messages)[-1] == [(" one", True), (" two", True)]


def test_the_language_is_told_once_it_is_sure_unless_the_client_named_it() -> None:
    one = wire()
    unsure = delta("one", language="de", language_probability=0.5)
    sure = delta("two", language="de", language_probability=0.8)
    assert [message for message in told(one, unsure, sure, sure) if "language" in message] == [
        {"language": "de", "language_prob": 0.8}
    ]
    assert not any("language" in message for message in told(wire(language="de"), sure))


def test_word_times_where_the_client_wants_them() -> None:
    (message,) = told(wire(word_times=True), delta("one"))
    assert message["segments"][0]["words"] == [{"word": " one", "start": "0.000", "end": "1.000", "probability": 0.9}]


def test_translations_have_the_times_of_their_turn() -> None:
    one = wire(target_language="fr")
    told(one, delta("One. Two"), done())
    (message,) = told(one, events.TranslationDone("a", "Un. Deux", "fr"))
    assert message == {
        "translated_segments": [
            {"start": "0.000", "end": "2.000", "text": " Un. Deux", "completed": True, "target_language": "fr"}
        ]
    }
    (warning,) = told(one, events.TranslationFailed("b", EngineFailed("broken")))
    assert warning == {"status": "WARNING", "message": "no translation: broken"}


def test_errors_are_told_and_counted_and_the_next_turn_goes_on() -> None:
    series = WhisperLiveSeries(Metrics())
    one = WhisperLiveWire(ClientOptions(uid="u"), series)
    messages = told(
        one,
        delta("one"),
        events.TranscriptFailed("a", EngineFailed("lost")),
        delta("two", item="b", start=3),
        done("b"),
    )
    assert [message for message in messages if "status" in message] == [{"status": "ERROR", "message": "lost"}]
    assert texts([messages[-1]]) == [[(" one", True), (" two", True)]]
    assert series.errors == {("engine_failed",): 1} and series.segments["true",] == 2


def advanced(at: float, transcribed: float | None = None, in_turn: bool = True) -> events.Advanced:
    return events.Advanced(at, at if transcribed is None else transcribed, at, in_turn)


def test_an_open_segment_that_stays_the_same_is_completed() -> None:
    one = wire(repeats=2)
    told(one, delta("one", "two"))
    for at in (1.0, 1.5):
        one.send(advanced(at))
    assert one.receive(b"\0") == [Append(audio=b"\0")]
    one.send(advanced(2.0))
    assert one.receive(b"\0") == [Append(audio=b"\0"), Flush()]
    assert texts(told(one, delta("two", start=1.0), events.Flushed())) == [[(" one two", True)]]
    for at in (3.0, 3.5, 4.0, 4.5):
        one.send(advanced(at))
    assert one.receive(b"\0") == [Append(audio=b"\0")]


@pytest.mark.parametrize("look", [advanced(9.0, transcribed=2.0), advanced(9.0, in_turn=False)])
def test_recognition_that_is_behind_or_has_no_turn_is_no_repetition(look: events.Advanced) -> None:
    one = wire(repeats=0)
    told(one, delta("one", "two"))
    one.send(look)
    assert one.receive(b"\0") == [Append(audio=b"\0")]


def test_the_end_tells_what_is_left_and_closes() -> None:
    one = wire()
    told(one, delta("one"))
    last, close = one.end()
    assert isinstance(last, str) and texts([json.loads(last)]) == [[(" one", True)]]
    assert close == Close(1000)


def test_a_connection_that_lasts_too_long_is_finished_then_disconnected() -> None:
    one = wire()
    one.tick(0.0)
    told(one, delta("one", "two"))
    assert one.tick(MAX_CONNECTION - 1) == [] and one.receive(b"\0") == [Append(audio=b"\0")]
    assert one.tick(MAX_CONNECTION) == []
    assert [one.receive(b"\0"), one.receive(b"\0")] == [[Finish()], []]
    told(one, delta("two", start=1.0), done())
    assert one.end() == ['{"uid": "u", "message": "DISCONNECT"}', Close(1000)]


def test_a_connection_that_lasts_too_long_and_says_nothing_is_disconnected_at_once() -> None:
    idle, stuck = wire(), wire()
    for one in (idle, stuck):
        one.tick(0.0)
    assert idle.tick(MAX_CONNECTION) == ['{"uid": "u", "message": "DISCONNECT"}', Close(1000)]
    told(stuck, delta("one"))
    assert len(stuck.tick(MAX_CONNECTION + LAST_WORDS)) == 3


# --- exactly once ---

WORD = st.sampled_from("yes no one two. Three! Mr. 3. 5 he said, stop? 好 。".split())


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[Any], list[str]]:
    """The events of some turns, whose transcripts overlap in time, and every final word in order."""
    streams, said, clock = list[list[Any]](), list[str](), 0.0
    for number in range(draw(st.integers(1, 4))):
        item = str(number)
        stream: list[Any] = []
        for _ in range(draw(st.integers(0, 5))):
            found = []
            for text in draw(st.lists(WORD, max_size=4)):
                clock += draw(st.sampled_from([0.0, 0.0, 0.1, 1.5]))
                end = clock + draw(st.sampled_from([0.0, 0.0004, 0.3, 5.0]))
                found.append(Word(f" {text}", clock, end, 0.9, draw(st.sampled_from([None, "0", "1"]))))
                clock = end
            tail = tuple(Word(f" {text}", clock, clock + 0.3, 0.5) for text in draw(st.lists(WORD, max_size=2)))
            said += [word.text.strip() for word in found]
            stream.append(
                events.TranscriptDelta(item, TranscriptUpdate("".join(word.text for word in found), tuple(found), tail))
            )
        streams.append([*stream, done(item)])
    script: list[Any] = [events.SpeechStarted(str(number), 0.0) for number in range(len(streams))]
    while any(streams):
        stream = draw(st.sampled_from([stream for stream in streams if stream]))
        script.append(stream.pop(0))
        if draw(st.booleans()) and draw(st.booleans()):
            script.append(events.Flushed())
    return script, said


@given(scripts(), st.integers(1, 3))
def test_clients_have_each_word_once(script: tuple[list[Any], list[str]], last: int) -> None:
    given_events, said = script
    one, reader = wire(last_segments=last), WhisperLiveReader("u")
    for answer in _answers(one, given_events):
        reader.read(answer)
    for segments in (reader.committed, reader.transcript, reader.subtitles()):
        assert text_of(segments).split() == " ".join(said).split()
    times = [float(segment[name]) for segment in reader.committed for name in ("start", "end")]
    assert times == sorted(times)


def _answers(one: WhisperLiveWire, given_events: list[Any]) -> Iterator[str]:
    for event in given_events:
        for answer in one.send(event):
            assert isinstance(answer, str)
            yield answer
    for answer in one.end():
        if isinstance(answer, str):
            yield answer


def test_a_client_that_comes_back_is_greeted_again() -> None:
    told = json.loads(wire().resume(ResumePoint(2, 5)))
    assert (told["uid"], told["message"], told["resumed"]) == ("u", "SERVER_READY", {"received": 2, "sent": 5})


def test_another_server_goes_on_after_the_last_completed_segment() -> None:
    one = wire()
    one.tick(100.0)
    one.tick(160.0)
    told(one, events.SpeechStarted("a", 0.0), delta("one two.", "Three"))
    assert one.told == 1
    point = one.point(0.0)
    assert point is not None and point.at == 2.0
    other = wire()
    other.restore(json.loads(json.dumps(point.state)), point.at, 4)
    assert other.tick(0.0) == [], "no greeting"
    *_, last = told(other, events.SpeechStarted("b", 2.0), delta("Three.", start=2.0, item="b"), done("b"))
    assert [segment["text"] for segment in last["segments"]] == [" one two.", " Three."]
    assert last["segments"][1]["start"] == "2.000" and other.told == 2
    assert not other.tick(MAX_CONNECTION - 61.0) and other.tick(MAX_CONNECTION - 60.0), "its ten minutes go on"


def test_a_session_that_ends_is_not_handed_over() -> None:
    one = wire()
    assert one.point(0.0) is None
    one.tick(0.0)
    assert one.point(0.0) is not None
    one.receive("END_OF_AUDIO")
    assert one.point(0.0) is None


def test_segments_for_another_server_are_bounded() -> None:
    segments = [{"text": "x" * 1000, "n": number} for number in range(100)]
    kept = newest(segments)
    assert 0 < len(kept) < 66 and kept[-1]["n"] == 99 and newest(kept) == kept
