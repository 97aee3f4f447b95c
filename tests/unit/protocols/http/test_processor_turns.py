"""Turns: the work that has had least of the processor is next, and all work ends when they are closed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechmlx.audio.effort import Effort
from speechmlx.errors import Draining
from speechmlx.protocols.http.processor_turns import ProcessorTurn, ProcessorTurns


def busy(turns: ProcessorTurns, turn: ProcessorTurn, until: threading.Event) -> None:
    effort = Effort()
    with turns.taken(turn), effort.judged():
        while effort.goes_on() and not until.is_set():
            pass


def test_short_work_passes_long_work() -> None:
    turns, done = ProcessorTurns(1), threading.Event()
    with ThreadPoolExecutor(5) as pool:
        long = [ProcessorTurn() for _ in range(4)]
        works = [pool.submit(busy, turns, turn, done) for turn in long]
        while min(turn.used for turn in long) < 0.1:  # each has had turns
            time.sleep(0.01)
        used = sum(turn.used for turn in long)
        with turns.taken(ProcessorTurn()):
            assert sum(turn.used for turn in long) - used < 0.5
            done.set()
        for work in works:
            work.result()


def test_work_that_nobody_waits_for_ends() -> None:
    turns, turn = ProcessorTurns(2), ProcessorTurn()
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(busy, turns, turn, threading.Event())
        turn.ended = True
        with pytest.raises(Draining):
            ended.result(10)
        others = [pool.submit(busy, turns, ProcessorTurn(), threading.Event()) for _ in range(2)]
        turns.close()
        for other in others:
            with pytest.raises(Draining):
                other.result(10)
    with pytest.raises(Draining), turns.taken(ProcessorTurn()):
        pass


def test_a_client_with_many_works_has_no_more_than_one_with_one() -> None:
    turns, done = ProcessorTurns(1), threading.Event()
    many, one = [ProcessorTurn("many") for _ in range(6)], ProcessorTurn("one")
    with ThreadPoolExecutor(7) as pool:
        works = [pool.submit(busy, turns, turn, done) for turn in (*many, one)]
        while one.used < 0.4:
            time.sleep(0.01)
        done.set()
        for work in works:
            work.result()
    assert one.used > 0.3 * sum(turn.used for turn in many)
    assert not turns._works and not turns._used
