"""How the worker steps a batch, and who gets its seats."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from support.worker_bench import Bench, Chats

from speechmlx.engines import AIM, LONG_AIM, Paced
from speechmlx.runtime.ipc.messages import OUTPUT_WINDOW, Ended, EngineReport
from speechmlx.runtime.worker.worker import PAUSED
from speechmlx.types import Enhance, Generate, Load, Message, Priority, TextDelta


def test_a_batch_steps_together_up_to_its_seats() -> None:
    bench = Bench()
    jobs = [bench.start(Generate(messages=(Message("user", f"steps={n}"),)), "scripted-llm") for n in (2, 2, 3, 2, 2)]
    bench.run()
    texts = ["".join(e.text for e in bench.events(job) if isinstance(e, TextDelta)) for job in jobs]
    assert texts[0] == "1/4 2/4 "
    assert all(bench.end(job).failure is None for job in jobs)


def test_an_engine_is_told_how_long_its_steps_should_be(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "trace")
    bulk = chats.start(steps=2, priority=Priority.BULK)
    bench = chats.bench
    aims: list[float | None] = []

    def step() -> None:
        bench.now += 1.0
        bench.worker.step()
        engine = bench.worker._slots["scripted-llm"].engine
        aims.append(engine.aim if isinstance(engine, Paced) else None)

    while not aims or not aims[-1]:
        step()
    live = bench.start(Enhance(priority=Priority.REALTIME), "scripted-enhance")  # it waits for the end of every step
    while not bench.ended(bulk):
        step()
    assert (aims[-2:], bench.ended(live)) == ([LONG_AIM, AIM], False)
    bench.run()
    told = [message.aims for message in bench.said if isinstance(message, EngineReport) and message.aims]
    assert told[-1] == {"scripted-llm": AIM}


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
