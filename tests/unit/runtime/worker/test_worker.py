"""The engine process's mind without the process: messages in, steps, messages out, on a clock of ours."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import scripted
from support.scripted_live import LIVE_ROW

from speechmlx.engines import LoadOptions
from speechmlx.models.spec import Model
from speechmlx.runtime.ipc.messages import (
    OUTPUT_WINDOW,
    CancelJob,
    Ended,
    Input,
    InputConsumed,
    MemoryReport,
    Output,
    OutputConsumed,
    Setup,
    Start,
)
from speechmlx.runtime.worker.worker import PAUSED, Worker
from speechmlx.types import (
    Chunk,
    End,
    Enhance,
    Event,
    Feed,
    Generate,
    Listen,
    Load,
    Message,
    Priority,
    Progress,
    Request,
    Speak,
    TextDelta,
    Unload,
)

ROWS = {row.name: row for row in scripted.ROWS}


class Bench:
    """A worker, what it said, and its clock."""

    def __init__(self, memory: int = 2_000_000_000, idle_unload: float = 0.0, **options: Any) -> None:
        self.said: list[object] = []
        self.now = 0.0
        self.worker = Worker(self.said.append, LoadOptions(**options), clock=lambda: self.now)
        self.worker.handle(Setup(memory, idle_unload))
        self._id = 0

    def start(self, request: Request, model: str = "scripted") -> int:
        self._id += 1
        self.worker.handle(Start(self._id, request, ROWS[model], ""))
        return self._id

    def speak(self, script: str = "", model: str = "scripted", **rest: object) -> int:
        return self.start(Speak(text=script, **rest), model)  # type: ignore[arg-type]

    def run(self, steps: int = 1000) -> int:
        for count in range(steps):
            self.now += 0.001
            if not self.worker.step():
                return count
        return steps

    def events(self, job: int) -> list[Event]:
        return [m.event for m in self.said if isinstance(m, Output) and m.job == job]

    def order(self) -> list[int]:
        return [m.job for m in self.said if isinstance(m, Output)]

    def end(self, job: int) -> Ended:
        (ended,) = [m for m in self.said if isinstance(m, Ended) and m.job == job]
        return ended

    def ended(self, job: int) -> bool:
        return any(isinstance(m, Ended) and m.job == job for m in self.said)

    def held(self) -> list[str]:
        (*_, last) = [m for m in self.said if isinstance(m, MemoryReport)]
        return [held.name for held in last.models]


def test_a_job_says_its_events_and_ends() -> None:
    bench = Bench()
    job = bench.speak("steps=3")
    bench.run()
    assert [type(e).__name__ for e in bench.events(job)] == ["Chunk", "Chunk", "Chunk", "Usage"]
    assert bench.end(job).failure is None


def test_a_reader_that_is_behind_pauses_its_job_and_no_other() -> None:
    bench = Bench()
    slow, quick = bench.speak("steps=40"), bench.speak("steps=3")
    bench.run()
    assert len(bench.events(slow)) == OUTPUT_WINDOW
    assert bench.ended(quick)
    assert not bench.ended(slow)
    bench.worker.handle(OutputConsumed(slow, OUTPUT_WINDOW))
    bench.run()
    assert len(bench.events(slow)) == 2 * OUTPUT_WINDOW
    bench.worker.handle(OutputConsumed(slow, OUTPUT_WINDOW))
    bench.run()
    assert bench.end(slow).failure is None


def test_cancel_closes_the_generator_before_the_next_step(tmp_path: Path) -> None:
    bench = Bench()
    job = bench.speak(f"steps=10 trace={tmp_path / 'trace'}")
    bench.run(5)
    bench.worker.handle(CancelJob(job))
    bench.run(1)
    assert bench.end(job).failure is None
    notes = (tmp_path / "trace").read_text().splitlines()
    assert '"close"' in notes[-1]
    assert len(notes) <= 6


def test_a_failure_reaches_its_job_alone() -> None:
    bench = Bench()
    bad, good = bench.speak("fail=1"), bench.speak()
    bench.run()
    failure = bench.end(bad).failure
    assert failure is not None
    assert failure.code == "engine_failed"
    assert "scripted to fail at step 1" in failure.message
    assert bench.end(good).failure is None


def test_a_load_that_fails_ends_all_that_wait_and_can_be_tried_again() -> None:
    bench = Bench()
    jobs = [bench.speak(model="scripted-broken"), bench.speak(model="scripted-broken")]
    bench.run()
    for job in jobs:
        failure = bench.end(job).failure
        assert failure is not None
        assert "scripted not to load" in failure.message
    assert bench.held() == []
    again = bench.speak(model="scripted-broken")
    bench.run()
    assert bench.ended(again)


def test_a_load_is_sliced_live_work_goes_on() -> None:
    bench = Bench()
    bench.speak()
    bench.run()
    bench.said.clear()
    live = bench.speak("steps=8", priority=Priority.REALTIME)
    loading = bench.start(Load(model="scripted-enhance"), "scripted-enhance")
    bench.run()
    assert bench.order().index(loading) > bench.order().index(live)
    assert [e for e in bench.events(loading) if isinstance(e, Progress)]
    assert bench.end(loading).failure is None


def test_synthesis_does_not_wait_for_text_that_waited_for_it() -> None:
    bench = Bench()
    chat = bench.start(Generate(messages=(Message("user", "steps=50"),)), "scripted-llm")
    bench.run(5)
    for _ in range(2):
        before = len(bench.events(chat))
        assert before > 0
        clause = bench.speak("steps=4")
        while not bench.ended(clause):
            bench.run(1)
        assert len(bench.events(chat)) - before <= 1
        bench.run(3)


def test_listening_goes_before_a_synthesis_that_came_after_it() -> None:
    bench = Bench()
    listening = bench.start(Enhance(), "scripted-enhance")
    bench.run()
    clause = bench.speak("steps=20")
    bench.run(3)
    bench.worker.handle(Input(listening, Feed(np.zeros(10, np.float32))))
    before = len(bench.events(clause))
    while not bench.events(listening):
        bench.run(1)
    assert len(bench.events(clause)) - before == 0


def test_a_job_ends_with_its_last_word() -> None:
    """Not when its listener would run dry, as others have work to do until then."""
    bench = Bench()
    first = bench.speak("steps=1 bytes=960000")
    bench.start(Generate(messages=(Message("user", "steps=50"),)), "scripted-llm")
    while not bench.events(first):
        bench.run(1)
    bench.run(1)
    assert bench.ended(first)


def test_first_audio_in_order_of_arrival_then_whoever_runs_dry() -> None:
    bench = Bench()
    first, second = (bench.speak("steps=4 bytes=48000") for _ in range(2))
    bench.run()
    chunks = [m.job for m in bench.said if isinstance(m, Output) and isinstance(m.event, Chunk)]
    assert chunks == [first, second] * 4


def test_a_batch_steps_together_up_to_its_seats() -> None:
    bench = Bench()
    jobs = [bench.start(Generate(messages=(Message("user", f"steps={n}"),)), "scripted-llm") for n in (2, 2, 3, 2, 2)]
    bench.run()
    texts = ["".join(e.text for e in bench.events(job) if isinstance(e, TextDelta)) for job in jobs]
    assert texts[0] == "1/4 2/4 "
    assert all(bench.end(job).failure is None for job in jobs)


class Chats:
    """Chats whose comings and goings are in one trace."""

    def __init__(self, trace: Path) -> None:
        self.bench = Bench()
        self._trace = trace

    def start(self, steps: int = 40, priority: Priority = Priority.INTERACTIVE) -> int:
        script = Message("user", f"steps={steps} trace={self._trace}")
        return self.bench.start(Generate(messages=(script,), priority=priority), "scripted-llm")

    def most_open(self) -> int:
        """The most that were open at once."""
        count = most = 0
        for line in self._trace.read_text().splitlines():
            count += {"open": 1, "close": -1}.get(json.loads(line)["what"], 0)
            most = max(most, count)
        return most


def test_no_more_seats_are_taken_than_the_engine_has(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "trace")
    jobs = [chats.start(steps=10) for _ in range(20)]
    chats.bench.run()
    assert all(chats.bench.end(job).failure is None for job in jobs)
    assert chats.most_open() == 4
    ended = [m.job for m in chats.bench.said if isinstance(m, Ended)]
    assert [set(ended[i : i + 4]) for i in range(0, 20, 4)] == [set(jobs[i : i + 4]) for i in range(0, 20, 4)]


def test_a_live_session_needs_no_seat_of_those_less_urgent(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "trace")
    for _ in range(8):
        chats.start()
    chats.bench.run(30)
    live = chats.start(3, Priority.REALTIME)
    chats.bench.run(4)
    assert chats.bench.ended(live)
    assert chats.most_open() == 5


def test_readers_that_stay_behind_keep_nobody_from_a_seat(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "trace")
    slow = [chats.start() for _ in range(4)]
    quick = chats.start(steps=3)
    chats.bench.run()
    assert Counter(chats.bench.order()) == dict.fromkeys(slow, OUTPUT_WINDOW)
    assert not chats.bench.ended(quick)
    launch = chats.bench.start(Load(model="scripted-llm"), "scripted-llm")
    chats.bench.run()
    assert chats.bench.ended(launch)
    assert chats.bench.worker.patience() <= PAUSED
    chats.bench.now += PAUSED
    chats.bench.run()
    assert chats.bench.ended(quick)


def test_an_error_of_one_seat_ends_that_seat() -> None:
    bench = Bench()
    bad, good = (
        bench.start(Generate(messages=(Message("user", script),)), "scripted-llm") for script in ("fail=1", "steps=3")
    )
    bench.run()
    assert bench.end(bad).failure is not None
    assert bench.end(good).failure is None


def test_a_stream_uses_commands_and_says_so() -> None:
    bench = Bench()
    job = bench.start(Enhance(), "scripted-enhance")
    for _ in range(3):
        bench.worker.handle(Input(job, Feed(np.full(10, 0.5, np.float32))))
    bench.run()
    assert sum(m.count for m in bench.said if isinstance(m, InputConsumed)) == 3
    assert not bench.ended(job)
    bench.worker.handle(Input(job, End()))
    bench.run()
    assert bench.end(job).failure is None
    assert sum(len(e.pcm16) for e in bench.events(job) if isinstance(e, Chunk)) == 3 * 10 * 2


def test_live_streams_of_a_model_take_turns() -> None:
    """Words of one stream do not wait for another that is fed all the time: each pays for its own turns."""
    posted: list[object] = []
    ticks = itertools.count()
    worker = Worker(posted.append, LoadOptions(), clock=lambda: 0.001 * next(ticks))
    worker.handle(Setup(1_000_000_000, 0.0))
    for job in (1, 2, 3):
        worker.handle(Start(job, Listen(), LIVE_ROW, ""))
        for _ in range(20):
            worker.handle(Input(job, Feed(np.zeros(10, np.float32))))
        worker.handle(Input(job, End()))
    counts = Counter[int]()
    while worker.step():
        counts = Counter(message.job for message in posted if isinstance(message, Output))
        assert max(counts.values(), default=0) - min(counts[job] for job in (1, 2, 3)) <= 1
    assert counts == {1: 16, 2: 16, 3: 16} and OUTPUT_WINDOW == 16
    for job in (1, 2, 3):
        worker.handle(OutputConsumed(job, OUTPUT_WINDOW))
    while worker.step():
        pass
    assert {message.job for message in posted if isinstance(message, Ended)} == {1, 2, 3}


def test_a_request_the_model_cannot_do_is_refused() -> None:
    bench = Bench()
    job = bench.start(Enhance(), "scripted-llm")
    bench.run()
    failure = bench.end(job).failure
    assert failure is not None
    assert failure.code == "unsupported"


def test_idle_models_make_room_running_ones_do_not() -> None:
    bench = Bench(memory=1_000_000_000)
    bench.speak()
    bench.run()
    running = bench.speak("steps=40", model="scripted-slow")
    bench.run()
    assert not bench.ended(running)
    assert bench.held() == ["scripted", "scripted-slow"]
    bench.worker.handle(Setup(901_000_000, 0.0))
    big = bench.speak("steps=40", model="scripted-big")
    bench.run(5)
    assert bench.held() == ["scripted-slow", "scripted-big"]
    bench.worker.handle(Setup(2_500_000, 0.0))  # of which the two hold 2 MB, now that they are loaded
    failure = bench.end(bench.speak()).failure
    assert failure is not None
    assert failure.code == "busy"
    assert bench.held() == ["scripted-slow", "scripted-big"]
    assert not bench.ended(running) and not bench.ended(big)


def test_no_room_ever_is_said_at_once() -> None:
    bench = Bench(memory=1_500_000)
    job = bench.speak(model="scripted-big")
    failure = bench.end(job).failure
    assert failure is not None
    assert failure.code == "model_unavailable"
    assert "needs 900 MB" in failure.message


def test_room_is_counted_in_the_type_of_the_weights() -> None:
    bench = Bench(memory=500_000_000, dtype="float16")
    bench.speak(model="scripted-big")
    assert bench.held() == ["scripted-big"]


def test_idle_unload_spares_the_pinned() -> None:
    bench = Bench(idle_unload=10.0)
    bench.speak()
    pin = bench.start(Load(model="scripted-slow", pin=True), "scripted-slow")
    bench.run()
    assert bench.ended(pin)
    assert 0 < bench.worker.patience() <= 10
    bench.now += 11
    bench.run()
    assert bench.held() == ["scripted-slow"]


def test_unload_waits_for_nobody() -> None:
    bench = Bench()
    running = bench.speak("steps=40")
    bench.run()
    refused = bench.start(Unload(model="scripted"))
    failure = bench.end(refused).failure
    assert failure is not None
    assert failure.code == "busy"
    bench.worker.handle(CancelJob(running))
    bench.run()
    accepted = bench.start(Unload(model="scripted"))
    assert bench.end(accepted).failure is None
    assert bench.held() == []


@pytest.mark.parametrize("others", [False, True])
def test_a_launch_cancelled_while_its_model_loads_leaves_nothing_unless_others_wait(others: bool) -> None:
    bench = Bench()
    launch = bench.start(Load(model="scripted-slow", pin=True), "scripted-slow")
    waiting = [bench.speak("steps=1", model="scripted-slow")] if others else []
    bench.run(3)
    bench.worker.handle(CancelJob(launch))
    bench.run()
    assert bench.ended(launch)
    assert bench.held() == ["scripted-slow"] * others
    assert all(bench.end(job).failure is None for job in waiting)


def test_a_request_that_leaves_while_its_model_loads_has_it_loaded_for_the_next() -> None:
    bench = Bench()
    gone = bench.speak(model="scripted-slow")
    bench.run(3)
    bench.worker.handle(CancelJob(gone))
    bench.run()
    assert bench.held() == ["scripted-slow"]


@pytest.mark.parametrize("message", [Input(99, End()), OutputConsumed(99, 1), CancelJob(99)])
def test_messages_for_a_job_that_is_over_are_nothing(message: object) -> None:
    bench = Bench()
    bench.worker.handle(message)
    assert bench.run() == 0


def test_rows_are_what_tests_think() -> None:
    assert isinstance(ROWS["scripted"], Model)
