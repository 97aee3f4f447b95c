"""The model of capacity and its simulation, against values that are known."""

from __future__ import annotations

import math
import random
from itertools import accumulate
from pathlib import Path

import pytest
from soak.capacity import row
from support.capacity import FULL, ClusterSimulation, Load, erlang_b, md1_wait, seats_for, waits


@pytest.mark.parametrize(("rate", "service", "wait"), [(0.5, 1.0, 0.5), (0.8, 1.0, 2.0), (4.0, 0.2, 0.4)])
def test_md1_has_its_known_waits(rate: float, service: float, wait: float) -> None:
    assert md1_wait(rate, service) == pytest.approx(wait)


def test_a_queue_that_gets_too_much_waits_for_ever() -> None:
    assert md1_wait(1.0, 1.0) == math.inf


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_the_simulated_engine_waits_as_md1(busy: float) -> None:
    generator = random.Random(11)
    arrivals = accumulate(generator.expovariate(busy) for _ in range(200_000))
    simulated = list(waits(arrivals, 1.0))
    assert sum(simulated) / len(simulated) == pytest.approx(md1_wait(busy, 1.0), rel=0.04)


@pytest.mark.parametrize(("seats", "offered", "refused"), [(1, 1.0, 0.5), (2, 1.0, 0.2), (10, 5.0, 0.018385)])
def test_erlang_has_its_known_values(seats: int, offered: float, refused: float) -> None:
    assert erlang_b(seats, offered) == pytest.approx(refused, rel=1e-4)


def test_the_seats_that_refuse_few_are_the_fewest() -> None:
    seats = seats_for(100.0, 0.001)
    assert erlang_b(seats, 100.0) <= 0.001 < erlang_b(seats - 1, 100.0)


def test_one_simulated_mac_refuses_as_erlang_says() -> None:
    load = Load(stay=10.0, speech=1.0, pause=1000.0)
    outcome = ClusterSimulation(load, macs=1, seats=10, offered=8.0).run(60_000.0, warm_up=100.0)
    assert outcome.asked > 40_000
    assert outcome.refused / outcome.asked == pytest.approx(erlang_b(10, 8.0), rel=0.06)
    assert outcome.most == 10


def test_simulated_turn_ends_of_many_sessions_wait_as_md1() -> None:
    """Without a background the ends of many sessions' turns are as good as random."""
    load = Load(idle=0.0, live=0.0, turn_end=0.01, speech=3.0, pause=9.0, stay=300.0)
    outcome = ClusterSimulation(load, macs=1, seats=2000, offered=840.0).run(600.0, warm_up=900.0)
    rate = len(outcome.delays) / 600.0
    assert 0.5 < rate * 0.01 < 0.9
    assert outcome.mean - 0.01 == pytest.approx(md1_wait(rate, 0.01), rel=0.15)


def test_the_same_seed_gives_the_same_outcome() -> None:
    runs = [ClusterSimulation(Load(), 3, 8, 18.0, seed=seed).run(300.0).delays for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_mac_carries_the_sessions_whose_delay_is_within_the_limit() -> None:
    load = Load()
    most = load.sessions(1.0)
    assert load.delay(most) <= 1.0 < load.delay(most + 1) or load.used(most) <= FULL < load.used(most + 1)
    assert load.delay(10 * most) == math.inf


def test_a_fast_mac_is_planned_no_fuller_than_full() -> None:
    load = Load(idle=0.0006, live=0.025, turn_end=0.018)
    most = load.sessions(1.0)
    assert load.used(most) <= FULL < load.used(most + 1)
    assert load.delay(most) < 1.0


def test_a_slower_engine_carries_fewer() -> None:
    assert Load(live=0.5, turn_end=0.36).sessions(1.0) < Load().sessions(1.0)


@pytest.mark.parametrize("macs", [1, 8])
def test_the_simulated_delay_is_between_even_speech_and_bursts(macs: int) -> None:
    load = Load()
    each = load.sessions(1.0)
    outcome = ClusterSimulation(load, macs, seats=1000, offered=each * macs).run(6000.0 / macs, warm_up=1200.0)
    assert load.steady_delay(each) < outcome.mean
    if macs == 1:
        return  # the number of sessions varies, which the formula leaves out
    assert outcome.mean < load.delay(each)


def test_the_tables_of_the_documentation_are_the_scripts() -> None:
    text = (Path(__file__).parents[2] / "docs/scale.md").read_text()
    for load in (Load(), Load(idle=0.0006, live=0.025, turn_end=0.018)):
        for offered in (10, 100):
            line, good = row(load, 1.0, offered)
            assert good and line in text
