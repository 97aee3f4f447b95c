"""How far answers are at their listener's, by the audio that comes from there and by the wall clock."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.response.playback import START, Moment, Playback, PlaybackQueue


@dataclass
class Time:
    audio: float = 10.0
    wall: float = 100.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.audio, lambda: self.wall)

    def pass_by(self, seconds: float, muted: bool = False) -> None:
        self.audio += 0.0 if muted else seconds
        self.wall += seconds


def playback(time: Time, item: str, seconds: float, queued: Moment = START) -> Playback:
    """An answer of one clause, all of it sent now."""
    made = Playback(time.clock, queued)
    made.item = item
    made.timeline = made.timeline.begin_clause("one two three four")
    made.add_audio(seconds)
    made.timeline = made.timeline.end_clause()
    return made


def test_an_answer_is_played_as_it_comes() -> None:
    time = Time()
    made = Playback(time.clock, Moment(5.0, 95.0))
    assert (made.position, made.end, made.length) == (0.0, Moment(5.0, 95.0), 0.0)
    made = playback(time, "a", 2.0)
    assert (made.position, made.end) == (0.0, Moment(12.0, 102.0))
    time.pass_by(0.5)
    assert made.position == pytest.approx(0.5)
    time.pass_by(9.0)
    assert made.position == pytest.approx(9.5)
    assert made.length == 2.0


def test_an_answer_waits_for_those_before_it() -> None:
    time = Time()
    made = playback(time, "a", 2.0, Moment(13.0, 103.0))
    assert made.position == pytest.approx(-3.0)
    assert made.end == Moment(15.0, 105.0)


@pytest.mark.parametrize(("muted", "position"), [(0.3, 0.5), (2.0, 2.5)])
def test_the_wall_clock_counts_where_the_microphone_was_muted(muted: float, position: float) -> None:
    time = Time()
    made = playback(time, "a", 4.0)
    time.pass_by(0.5)
    time.pass_by(muted, muted=True)
    assert made.position == pytest.approx(position)


@pytest.mark.parametrize(("asked", "kept"), [(-1.0, 0.0), (0.5, 0.5), (9.0, 2.0)])
def test_truncation(asked: float, kept: float) -> None:
    made = playback(Time(), "a", 2.0)
    assert made.truncate(asked) == made.length == kept
    assert made.end == Moment(10.0 + kept, 100.0 + kept)


@pytest.mark.parametrize(
    ("passed", "unsent", "live", "heard"),
    [(0.5, 1.0, True, 0.5), (1.5, 1.0, True, 1.0), (0.5, 1.0, False, 1.0), (0.5, 0.0, False, 2.0)],
)
def test_interruption(passed: float, unsent: float, live: bool, heard: float) -> None:
    time = Time()
    made = playback(time, "a", 2.0)
    time.pass_by(passed)
    made.interrupt(unsent, live)
    assert made.timeline.duration == 2.0 - unsent
    assert made.length == pytest.approx(heard)


def test_what_the_client_said_counts_more_than_the_clock() -> None:
    time = Time()
    made = playback(time, "a", 2.0)
    made.truncate(0.3)
    time.pass_by(1.0)
    made.interrupt(0.0, live=True)
    assert made.length == 0.3


def test_a_queue_is_cut_at_the_answer_that_is_playing() -> None:
    time, queue = Time(), PlaybackQueue()
    assert queue.end == START
    for name in ("a", "b", "c"):
        queue.add(playback(time, name, 2.0, queue.end))
    assert queue.end == Moment(16.0, 106.0)
    time.pass_by(2.5)
    assert queue.interrupt() == [("b", pytest.approx(0.5)), ("c", 0.0)]
    assert queue.interrupt() == [] and queue.end == START


def test_answers_whose_end_is_known_are_not_in_the_queue() -> None:
    time, queue = Time(), PlaybackQueue()
    queue.add(playback(time, "a", 2.0))
    cut = playback(time, "b", 2.0, queue.end)
    cut.truncate(1.0)
    queue.add(cut)
    assert queue.end == Moment(12.0, 102.0)
    queue.remove("a")
    time.pass_by(0.5)
    assert queue.interrupt() == []


def test_answers_that_were_played_leave_the_queue() -> None:
    time, queue = Time(), PlaybackQueue()
    queue.add(playback(time, "a", 2.0))
    time.pass_by(2.5)
    queue.add(Playback(time.clock, queue.end))  # without audio
    assert queue.end == START or queue.end.audio <= time.audio
    assert queue.interrupt() == []
