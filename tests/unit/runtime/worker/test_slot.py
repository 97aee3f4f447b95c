"""A large model is loaded while people talk: live sessions step between its slices."""

from __future__ import annotations

import numpy as np
import pytest
from support.simulated_machine import FRAME, LARGE, LIVE, SLICE, SLICES, Machine

from speechmlx.engines import LoadOptions
from speechmlx.runtime.ipc.messages import Ended, Input, Output, OutputConsumed, Setup, Start
from speechmlx.runtime.worker.slot import WAIT
from speechmlx.runtime.worker.worker import Worker
from speechmlx.types import Chunk, Enhance, Event, Feed, Load, Priority, Probability, Request

TALK = 20.0
"""Seconds for which they talk before the load."""
AUDIO = Feed(np.zeros(1, np.float32))


def simulate(request: Request, sessions: int, cost: float, event: Event) -> tuple[list[float], float]:
    """How late each piece of live audio is answered, and how long `request` waits, which has a large model loaded."""
    Machine.now, Machine.cost, Machine.event = 0.0, cost, event
    late, ended, messages = list[float](), list[Ended](), list[object]()
    fed = {session: list[float]() for session in range(1, sessions + 1)}
    worker = Worker(messages.append, LoadOptions(), clock=lambda: Machine.now)
    worker.handle(Setup(2_000_000_000, 0.0))
    for session in fed:
        worker.handle(Start(session, Enhance(priority=Priority.REALTIME), LIVE, ""))
    coming, began, done = FRAME, 0.0, False
    while not done:
        while coming <= Machine.now:
            for session, times in fed.items():
                times.append(coming)
                worker.handle(Input(session, AUDIO))
            coming += FRAME
        if not began and Machine.now > TALK:
            began = Machine.now
            worker.handle(Start(100, request, LARGE, ""))
            worker.handle(Input(100, AUDIO))
        if not worker.step():
            Machine.now = coming
        for message in messages:
            match message:
                case Output(job) if job in fed:
                    late.append(Machine.now - fed[job].pop(0))
                    worker.handle(OutputConsumed(job, 1))
                case Output(_, Probability() | Chunk()):
                    done = True
                case Ended():
                    ended.append(message)
                    done = True
        messages.clear()
    assert not [one for one in ended if one.failure]
    return late, Machine.now - began


@pytest.mark.parametrize(
    "request_",
    [Load(model="large"), Enhance(priority=Priority.INTERACTIVE), Enhance(priority=Priority.REALTIME)],
    ids=["launched", "for a request", "for a live session"],
)
@pytest.mark.parametrize(("sessions", "cost"), [(1, 0.03), (4, 0.012)])
@pytest.mark.parametrize("event", [Probability(0.5, 0.0, FRAME), Chunk.silence(24000, FRAME)], ids=["hears", "speaks"])
def test_live_sessions_wait_for_one_slice_at_most(request_: Request, sessions: int, cost: float, event: Event) -> None:
    late, waited = simulate(request_, sessions, cost, event)
    assert len(late) > TALK / FRAME * sessions
    assert max(late) <= SLICE + sessions * cost + 1e-6
    busy = sessions * cost / FRAME
    assert waited <= SLICES * SLICE / (1 - busy) + 1.0, "and the load gets all the time that they leave"


@pytest.mark.parametrize("event", [Probability(0.5, 0.0, FRAME), Chunk.silence(24000, FRAME)], ids=["hears", "speaks"])
def test_a_load_goes_on_where_live_sessions_leave_no_time(event: Event) -> None:
    _, waited = simulate(Enhance(priority=Priority.REALTIME), 2, 0.05, event)
    assert waited <= SLICES * (WAIT + 0.05 + SLICE)
