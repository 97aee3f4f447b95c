"""Turns: the work that has had least of the processor is next, and all work ends when they are closed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechmlx.audio.effort import Effort
from speechmlx.errors import Draining
from speechmlx.protocols.http.turns import Turn, Turns


def busy(turns: Turns, turn: Turn, until: threading.Event) -> None:
    effort = Effort()
    with turns.taken(turn), effort.judged():
        while effort.goes_on() and not until.is_set():
            pass


def test_short_work_passes_long_work() -> None:
    turns, done = Turns(1), threading.Event()
    with ThreadPoolExecutor(5) as pool:
        long = [Turn() for _ in range(4)]
        works = [pool.submit(busy, turns, turn, done) for turn in long]
        while min(turn.used for turn in long) < 0.1:  # each has had turns
            time.sleep(0.01)
        used = sum(turn.used for turn in long)
        with turns.taken(Turn()):
            assert sum(turn.used for turn in long) - used < 0.5
            done.set()
        for work in works:
            work.result()


def test_work_that_nobody_waits_for_ends() -> None:
    turns, turn = Turns(2), Turn()
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(busy, turns, turn, threading.Event())
        turn.ended = True
        with pytest.raises(Draining):
            ended.result(10)
        others = [pool.submit(busy, turns, Turn(), threading.Event()) for _ in range(2)]
        turns.close()
        for other in others:
            with pytest.raises(Draining):
                other.result(10)
    with pytest.raises(Draining), turns.taken(Turn()):
        pass
