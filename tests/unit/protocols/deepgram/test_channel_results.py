"""Results of one channel: when words are final, what ends speech, how results tile the audio; at random too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation import events
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import EngineFailed
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.channel_results import ChannelResults
from speechmlx.protocols.deepgram.listen_options import ListenOptions
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.types import Kind, Word

Message = dict[str, Any]
REQUEST = ListenRequest(id="r", model=CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR]))
DONE = Transcript("")
Steps = list[events.Event]


def word(text: str, start: float, end: float) -> Word:
    return Word(f" {text}", start, end, 0.9)


def delta(item: str, *words: Word, tail: tuple[Word, ...] = ()) -> events.TranscriptDelta:
    return events.TranscriptDelta(item, TranscriptUpdate("".join(each.text for each in words), words, tail))


def advanced(at: float, in_turn: bool = False) -> events.Advanced:
    return events.Advanced(at, at, at, in_turn)


def told(options: ListenOptions, *happened: events.Event, finish: bool = False) -> list[Message]:
    channel = ChannelResults(options, REQUEST)
    messages = [message for event in happened for message in channel.take(event)]
    return messages + (channel.finish() if finish else [])


def short(message: Message) -> tuple[Any, ...]:
    """(type or flags, text, start, end)"""
    if message["type"] != "Results":
        return (message["type"], message.get("timestamp", message.get("last_word_end")))
    flags = "".join(
        letter for letter, name in (("F", "is_final"), ("S", "speech_final"), ("Z", "from_finalize")) if message[name]
    )
    end = round(message["start"] + message["duration"], 3)
    return (flags, message["channel"]["alternatives"][0]["transcript"], message["start"], end)


def turn(item: str, start: float, end: float, *words: Word, silence: float = 0.3) -> list[events.Event]:
    return [
        events.SpeechStarted(item, start),
        delta(item, *words),
        events.SpeechPaused(item, end - silence, end),
        events.SpeechStopped(item, end),
        events.TranscriptDone(item, DONE, end - start),
    ]


ENDS = ListenOptions(endpointing=0.3)


def test_the_end_of_a_turn_is_final_and_ends_speech() -> None:
    found = told(ENDS, *turn("a", 0.0, 1.5, word("one", 0.2, 0.5)), advanced(2.0), finish=True)
    assert [short(message) for message in found] == [("FS", "one", 0.0, 1.5), ("F", "", 1.5, 2.0)]


def test_without_endpointing_silence_ends_no_speech() -> None:
    options = ListenOptions(endpointing=None)
    found = told(options, *turn("a", 0.0, 2.5, word("one", 0.2, 0.5), silence=1.0))
    assert [short(message) for message in found] == [("F", "one", 0.0, 2.5)]


def test_a_long_endpointing_waits_for_its_silence() -> None:
    options = ListenOptions(endpointing=2.0)
    happened = turn("a", 0.0, 2.0, word("one", 0.2, 0.5), silence=1.0)
    found = told(options, *happened, advanced(2.9), advanced(3.1), advanced(4.0))
    assert [short(message) for message in found] == [("F", "one", 0.0, 2.0), ("FS", "", 2.0, 2.6)]


def test_speech_within_a_long_endpointing_goes_on() -> None:
    options = ListenOptions(endpointing=2.0, vad_events=True)
    first = turn("a", 0.0, 2.0, word("one", 0.2, 0.5), silence=1.0)
    second = turn("b", 2.0, 4.0, word("two", 2.5, 3.0), silence=1.0)
    found = told(options, advanced(0.4), *first, advanced(2.4), *second, advanced(5.1))
    assert [short(message) for message in found] == [
        ("SpeechStarted", 0.3),
        ("F", "one", 0.0, 2.0),
        ("F", "two", 2.0, 4.0),
        ("FS", "", 4.0, 4.6),
    ]


def test_the_onset_after_another_turn_is_not_before_it() -> None:
    options = ListenOptions(vad_events=True)
    found = told(options, *turn("a", 0.0, 1.0), advanced(1.1), events.SpeechStarted("b", 1.0))
    assert [short(message) for message in found if message["type"] == "SpeechStarted"][1] == ("SpeechStarted", 1.0)


def test_sentences_are_final_while_speech_goes_on() -> None:
    first = delta("a", word("Hello", 0.1, 0.3), word("there.", 0.3, 0.6), tail=(word("How", 0.7, 0.9),))
    rest = delta("a", word("How", 0.7, 0.9))
    found = told(ListenOptions(punctuate=True), events.SpeechStarted("a", 0.0), first, rest)
    assert [short(message) for message in found] == [("F", "Hello there.", 0.0, 0.6)]


def test_words_are_final_in_the_midst_of_a_sentence() -> None:
    words = [word(f"w{number}", number * 0.5, number * 0.5 + 0.4) for number in range(8)]
    deltas = [delta("a", each) for each in words]
    found = told(ENDS, events.SpeechStarted("a", 0.0), *deltas)
    expected = [("F", "w0 w1 w2 w3", 0.0, 1.9), ("F", "w4 w5 w6 w7", 1.9, 3.9)]
    assert [short(message) for message in found] == expected


def test_interim_results_show_every_word_that_is_not_final_once() -> None:
    options = ListenOptions(interim_results=True)
    steps: Steps = [
        events.SpeechStarted("a", 0.0),
        delta("a", tail=(word("one", 0.0, 0.2),)),
        delta("a", tail=(word("one", 0.0, 0.2),)),
        delta("a", word("one", 0.0, 0.2), tail=(word("two", 0.3, 0.5),)),
        delta("a", word("two", 0.3, 0.5)),
    ]
    found = told(options, *steps)
    assert [short(message)[:2] for message in found] == [("", "one"), ("", "one two")]


def test_a_flush_is_answered_and_ends_speech_once() -> None:
    started, said = events.SpeechStarted("a", 0.0), delta("a", word("one", 0.1, 0.4))
    rest = turn("a", 0.0, 1.5)[2:]
    found = told(ENDS, started, said, advanced(0.8), events.Flushed(), events.Flushed(), *rest)
    assert [short(message) for message in found] == [
        ("FSZ", "one", 0.0, 0.8),
        ("FSZ", "", 0.8, 0.8),
        ("F", "", 0.8, 1.5),
    ]


def test_words_after_a_flush_end_speech_again() -> None:
    steps: Steps = [events.SpeechStarted("a", 0.0), delta("a", word("one", 0.1, 0.4)), events.Flushed()]
    steps += [delta("a", word("two", 0.9, 1.0)), *turn("a", 0.0, 1.5)[2:]]
    assert [short(message)[:2] for message in told(ENDS, *steps)] == [("FSZ", "one"), ("FS", "two")]


def test_a_flush_in_silence_is_answered_and_covers_no_turn_to_come() -> None:
    found = told(ENDS, advanced(3.0), events.Flushed(), *turn("a", 2.6, 4.0, word("one", 2.8, 3.0)))
    assert [short(message) for message in found] == [("FSZ", "", 0.0, 2.5), ("FS", "one", 2.5, 4.0)]


def test_a_flush_waits_for_the_words_of_a_turn_that_is_over() -> None:
    first, second = turn("a", 0.0, 1.0, word("one", 0.1, 0.4)), turn("b", 1.2, 2.0, word("two", 1.4, 1.6))
    found = told(ENDS, first[0], *first[2:4], events.Flushed(), first[1], second[0], first[4], *second[1:])
    assert [short(message)[:2] for message in found] == [("FSZ", "one"), ("F", ""), ("FS", "two")]


def test_a_turn_waits_for_the_words_of_the_one_before() -> None:
    first, second = turn("a", 0.0, 1.0, word("one", 0.1, 0.4)), turn("b", 1.2, 2.0, word("two", 1.4, 1.6))
    found = told(ENDS, *first[:1], *first[2:4], *second, *first[1:2], first[4])
    assert [short(message)[:2] for message in found] == [("FS", "one"), ("FS", "two")]


def test_late_words_end_speech_where_the_silence_after_them_is_known() -> None:
    options = ListenOptions(endpointing=2.0, utterance_end=1.0, vad_events=True)
    for second, flags in ((2.0, "F"), (3.5, "FS")):
        first = turn("a", 0.0, 2.0, word("one", 0.2, 0.9), silence=1.0)
        late = [first[0], *first[2:4], advanced(second + 0.4), events.SpeechStarted("b", second), first[1], first[4]]
        found = [short(message) for message in told(options, *late)]
        assert (flags, "one", 0.0, 2.0) in found
        assert ("UtteranceEnd", 0.9) in found
        assert (("SpeechStarted", round(second + 0.3, 3)) in found) == (flags == "FS")


def test_utterance_end_comes_once_for_a_last_word_and_not_while_words_wait() -> None:
    options = ListenOptions(endpointing=0.3, utterance_end=1.0)
    steps: Steps = [*turn("a", 0.0, 0.9, word("one", 0.2, 0.5)), *(advanced(at / 10) for at in range(10, 30))]
    kinds = [short(message) for message in told(options, *steps)]
    assert kinds == [("FS", "one", 0.0, 0.9), ("UtteranceEnd", 0.5)]
    pending: Steps = [events.SpeechStarted("b", 1.2), delta("b", tail=(word("two", 1.3, 1.4),)), advanced(2.9, True)]
    assert told(options, *steps[:5], *pending)[1:] == []


def test_noise_without_words_does_not_keep_utterance_end_away() -> None:
    options = ListenOptions(endpointing=0.3, utterance_end=1.0)
    steps: Steps = [*turn("a", 0.0, 0.9, word("one", 0.2, 0.5)), events.SpeechStarted("b", 1.2)]
    assert told(options, *steps, advanced(2.1, True))[1:] == []
    assert [short(message) for message in told(options, *steps, advanced(2.3, True))[1:]] == [("UtteranceEnd", 0.5)]


def test_silence_has_final_results_too() -> None:
    found = told(ENDS, *(advanced(at / 10) for at in range(1, 120)))
    assert [short(message) for message in found] == [("F", "", 0.0, 5.0), ("F", "", 5.0, 10.0)]


def test_a_turn_that_was_long_ends_no_speech() -> None:
    options = ListenOptions(endpointing=0.3, vad_events=True)
    long: Steps = [events.SpeechStarted("a", 0.0), delta("a", word("one", 1.0, 2.0)), events.SpeechStopped("a", 300.0)]
    found = told(options, *long, events.TranscriptDone("a", DONE, 300.0), events.SpeechStarted("b", 300.0))
    assert [short(message)[0] for message in found] == ["SpeechStarted", "F"]


def test_a_turn_that_failed_is_over() -> None:
    failed: Steps = [*turn("a", 0.0, 1.0, word("one", 0.1, 0.4))[:4], events.TranscriptFailed("a", EngineFailed("x"))]
    assert [short(message) for message in told(ENDS, *failed)] == [("FS", "one", 0.0, 1.0)]


def test_words_end_where_the_audio_of_their_turn_does() -> None:
    steps = turn("a", 0.0, 1.0)
    late = delta("a", word("one", 0.5, 1.02), word("two", 1.02, 1.1))
    (message,) = told(ENDS, steps[0], *steps[2:4], late, steps[4])
    assert short(message) == ("FS", "one two", 0.0, 1.0)
    assert [each["end"] for each in message["channel"]["alternatives"][0]["words"]] == [1.0, 1.0]


def test_text_without_times_has_words() -> None:
    whole = events.TranscriptDelta("a", TranscriptUpdate("one two"))
    steps = turn("a", 0.0, 1.0)
    (message,) = told(ENDS, steps[0], *steps[2:4], whole, steps[4])
    found = message["channel"]["alternatives"][0]
    assert [(each["word"], each["start"], each["end"]) for each in found["words"]] == [
        ("one", 0.0, 0.5),
        ("two", 0.5, 1.0),
    ]


def test_what_is_abandoned_has_its_unsure_words() -> None:
    channel = ChannelResults(ENDS, REQUEST)
    for event in (events.SpeechStarted("a", 0.0), delta("a", word("one", 0, 0.2), tail=(word("two", 0.3, 0.5),))):
        channel.take(event)
    assert [short(message) for message in channel.abandon()] == [("FS", "one two", 0.0, 0.5)]
    assert ChannelResults(ENDS, REQUEST).abandon() == []


# --- at random ---


@dataclass
class Stream:
    """A session's events as they may come, and the words in them."""

    events: list[events.Event] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    at: float = 0.0


def between(at: float) -> list[Steps]:
    """What may come between two words."""
    return [[], [advanced(at, True)], [events.Flushed()]]


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Turns with words, whose transcripts may come while the next turn is under way."""
    stream, late = Stream(), list[events.Event]()
    for number in range(draw(st.integers(0, 5))):
        item = f"t{number}"
        stream.at = round(stream.at + draw(st.sampled_from((0.0, 0.4, 3.0, 12.0))), 3)
        stream.events += [advanced(round(stream.at + 0.1, 3))]
        start = max(0.0, stream.at)
        stream.events.append(events.SpeechStarted(item, start))
        own: Steps = []
        position = start + 0.1
        for _ in range(draw(st.integers(0, 6))):
            text = f"w{len(stream.words)}" + draw(st.sampled_from(("", "", ".")))
            end = round(position + draw(st.sampled_from((0.1, 0.4, 1.1))), 3)
            stream.words.append(text.strip("."))
            own.append(delta(item, word(text, position, end), tail=(word("maybe", end, end + 0.1),)))
            own += draw(st.sampled_from(between(end)))
            position = end
        own.append(delta(item))
        silence = draw(st.sampled_from((0.3, 1.0)))
        stream.at = round(position + silence, 3)
        stop: Steps = [events.SpeechPaused(item, position, stream.at), events.SpeechStopped(item, stream.at)]
        done: Steps = [events.TranscriptDone(item, DONE, 1.0)]
        if draw(st.booleans()):
            stream.events += [*late, *own, *stop]
            late = list(done)
        else:
            stream.events += [*late, *stop, *own, *done]
            late = []
    stream.events += late
    stream.at = round(stream.at + draw(st.sampled_from((0.0, 2.0, 20.0))), 3)
    stream.events.append(advanced(stream.at))
    return stream


CHOICES = st.builds(
    ListenOptions,
    endpointing=st.sampled_from((None, 0.01, 0.3, 2.0)),
    utterance_end=st.sampled_from((None, 1.0)),
    interim_results=st.booleans(),
    vad_events=st.booleans(),
    punctuate=st.booleans(),
)


@given(streams(), CHOICES)
def test_the_rules_of_the_protocol_hold(stream: Stream, options: ListenOptions) -> None:
    messages = told(options, *stream.events, finish=True)
    finals = [message for message in messages if message.get("is_final")]
    words = [each for message in finals for each in message["channel"]["alternatives"][0]["words"]]
    assert [each["word"] for each in words] == stream.words
    position = 0.0
    for message in finals:
        assert message["start"] == pytest.approx(position, abs=2e-6)
        position = message["start"] + message["duration"]
        for each in message["channel"]["alternatives"][0]["words"]:
            assert message["start"] - 1e-6 <= each["start"] <= each["end"] <= position + 2e-6
    assert position == pytest.approx(stream.at, abs=1e-5)
    flushes = sum(isinstance(event, events.Flushed) for event in stream.events)
    assert sum(message["from_finalize"] for message in finals) == flushes
    if options.endpointing is None:
        assert all(message["from_finalize"] for message in finals if message["speech_final"])
    _check_utterance_ends(messages)


def _check_utterance_ends(messages: list[Message]) -> None:
    """Each names the end of the last final word before it, and no word twice."""
    last: float | None = None
    named: set[float] = set()
    for message in messages:
        if message["type"] == "UtteranceEnd":
            assert last is not None
            assert message["last_word_end"] == last
            assert last not in named
            named.add(last)
        elif message.get("is_final") and (words := message["channel"]["alternatives"][0]["words"]):
            last = words[-1]["end"]
