"""How many live sessions a Mac carries: a model of a few step times, and a simulation of many Macs.

Times are seconds of the engine's one thread. A session listens all the time (`idle` per second), its speech is
transcribed as it goes on (`live` per second of speech), and each turn's end needs one more piece of work (`turn_end`).
The thread does one thing after the other, so a turn's end waits for the work that is there already. Turns come at
random (Poisson). Were speech spread evenly, that wait would be of an M/D/1 queue; were the work of a turn there at once
at its beginning, of an M/G/1 queue. What happens is between the two, and Macs are planned with the latter. Sessions
come at random too and stay for an exponential time: a cluster whose seats are all taken refuses, by Erlang's formula.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

FULL = 0.8
"""Share of the engine's time that is planned with: a queue that is fuller grows with each small rise."""


@dataclass(frozen=True)
class Load:
    """What a session is. The defaults of the first three are Whisper tiny.en on one CPU: docs/scale.md."""

    idle: float = 0.006
    live: float = 0.25
    turn_end: float = 0.18
    speech: float = 3.0
    """Mean length of a turn in seconds."""
    pause: float = 9.0
    """Mean time between turns in seconds: the other's answer, and thinking."""
    stay: float = 600.0
    """Mean length of a session in seconds."""

    @property
    def turns(self) -> float:
        """Turn ends of a session a second."""
        return 1 / (self.speech + self.pause)

    @property
    def background(self) -> float:
        """Share of the engine's time that a session takes besides its turn ends."""
        return self.idle + self.live * self.speech * self.turns

    def used(self, sessions: float) -> float:
        """Share of the engine's time that `sessions` take; from 1 on they fall behind."""
        return sessions * (self.background + self.turns * self.turn_end)

    def steady_delay(self, sessions: float) -> float:
        """Mean seconds from a turn's end to its transcript, if speech came evenly; infinite from `used` 1 on."""
        if self.used(sessions) >= 1:
            return math.inf
        left = 1 - sessions * self.background
        return self.turn_end + left * md1_wait(sessions * self.turns, self.turn_end / left)

    def delay(self, sessions: float) -> float:
        """The same if all work of a turn came at once, with turns of exponential length."""
        if self.used(sessions) >= 1:
            return math.inf
        burst = self.live * self.speech
        square = 2 * burst**2 + 2 * burst * self.turn_end + self.turn_end**2
        return self.turn_end + sessions * self.turns * square / (2 * (1 - self.used(sessions)))

    def sessions(self, limit: float) -> int:
        """The most sessions of one Mac: a mean `delay` of at most `limit` seconds, and FULL of the engine's time."""
        return next(n for n in count() if self.delay(n + 1) > limit or self.used(n + 1) > FULL)


def md1_wait(rate: float, service: float) -> float:
    """Mean wait in seconds of an M/D/1 queue: `rate` arrivals a second that each take `service` seconds."""
    busy = rate * service
    return math.inf if busy >= 1 else busy * service / (2 * (1 - busy))


def erlang_b(seats: int, offered: float) -> float:
    """Share of sessions that find all `seats` taken, where `offered` would be open without a limit."""
    inverse = 1.0
    for seat in range(1, seats + 1):
        inverse = 1 + inverse * seat / offered
    return 1 / inverse


def seats_for(offered: float, refused: float) -> int:
    """The fewest seats that refuse at most the share `refused`."""
    inverse = 1.0
    for seat in count(1):
        inverse = 1 + inverse * seat / offered
        if 1 / inverse <= refused:
            return seat
    raise AssertionError


@dataclass
class SimulatedMac:
    """One replica: its sessions, those that speak, and the seconds of work that wait for its engine."""

    load: Load
    sessions: int = 0
    speaking: int = 0
    work: float = 0.0
    _then: float = 0.0

    def advance(self, now: float) -> None:
        """Time goes on: sessions bring work, and the engine does a second of it each second."""
        coming = self.sessions * self.load.idle + self.speaking * self.load.live
        self.work = max(0.0, self.work + (coming - 1) * (now - self._then))
        self._then = now

    def end_turn(self) -> float:
        """A turn ends: seconds until its transcript."""
        self.work += self.load.turn_end
        return self.work


@dataclass
class Outcome:
    """What a simulation saw."""

    asked: int = 0
    refused: int = 0
    delays: list[float] = field(default_factory=list)
    """Seconds from each turn's end to its transcript."""
    most: int = 0
    """The most sessions that were open at once."""

    def percentile(self, share: float) -> float:
        """Delay that `share` of the turns do not exceed."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def mean(self) -> float:
        return sum(self.delays) / len(self.delays)


class ClusterSimulation:
    """`macs` with `seats` each, to which sessions come so that `offered` would be open at once without a limit.

    A session goes to the less loaded of two Macs that are chosen at random, as Ray Serve routes; where that one is
    full it is refused. The same `seed` gives the same outcome.
    """

    def __init__(self, load: Load, macs: int, seats: int, offered: float, seed: int = 7) -> None:
        self._load = load
        self._macs = [SimulatedMac(load) for _ in range(macs)]
        self._seats = seats
        self._arrivals = offered / load.stay
        self._random = random.Random(seed)
        self._order = count()
        self._events: list[tuple[float, int, str, SimulatedMac, float]] = []
        """(time, order, what, Mac, when the session leaves)."""
        self._open = 0

    def run(self, seconds: float, warm_up: float = 0.0) -> Outcome:
        """Simulate `warm_up` seconds and then `seconds`, and tell what was in the latter."""
        outcome = Outcome()
        self._at(self._random.expovariate(self._arrivals), "arrive", self._macs[0], 0.0)
        while self._events[0][0] < warm_up + seconds:
            now, _, what, mac, leaves = heapq.heappop(self._events)
            self._step(now, what, mac, leaves, outcome if now >= warm_up else Outcome())
        return outcome

    def _step(self, now: float, what: str, mac: SimulatedMac, leaves: float, outcome: Outcome) -> None:
        mac.advance(now)
        if what == "arrive":
            self._at(now + self._random.expovariate(self._arrivals), "arrive", mac, 0.0)
            self._enter(now, outcome)
        elif what == "leave":
            mac.sessions -= 1
            self._open -= 1
        elif what == "begin":
            mac.speaking += 1
            self._at(now + self._random.expovariate(1 / self._load.speech), "end", mac, leaves)
        else:
            mac.speaking -= 1
            outcome.delays.append(mac.end_turn())
            self._pause(now, mac, leaves)

    def _enter(self, now: float, outcome: Outcome) -> None:
        """A session comes."""
        outcome.asked += 1
        one, other = self._random.choice(self._macs), self._random.choice(self._macs)
        mac = one if one.sessions <= other.sessions else other
        if mac.sessions >= self._seats:
            outcome.refused += 1
            return
        mac.advance(now)
        mac.sessions += 1
        self._open += 1
        outcome.most = max(outcome.most, self._open)
        leaves = now + self._random.expovariate(1 / self._load.stay)
        self._at(leaves, "leave", mac, leaves)
        self._pause(now, mac, leaves)

    def _pause(self, now: float, mac: SimulatedMac, leaves: float) -> None:
        """The session's next turn begins after a pause, if it is there still."""
        begins = now + self._random.expovariate(1 / self._load.pause)
        if begins < leaves:
            self._at(begins, "begin", mac, leaves)

    def _at(self, time: float, what: str, mac: SimulatedMac, leaves: float) -> None:
        heapq.heappush(self._events, (time, next(self._order), what, mac, leaves))


def waits(arrivals: Iterable[float], service: float) -> Iterator[float]:
    """Seconds that each of the turn ends at `arrivals` waits on a Mac that does nothing else."""
    mac = SimulatedMac(Load(idle=0, live=0, turn_end=service))
    for now in arrivals:
        mac.advance(now)
        yield mac.end_turn() - service
