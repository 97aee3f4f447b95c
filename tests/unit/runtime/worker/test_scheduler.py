"""Who steps next, by tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.runtime.worker.scheduler import AGEING, Candidate, pick
from speechmlx.types import Priority

NOW = 100.0
R, I, B = Priority.REALTIME, Priority.INTERACTIVE, Priority.BULK  # noqa: E741


def c(id: int, priority: Priority = I, due: float = NOW, waited: float = 0.0, **rest: object) -> Candidate:
    return Candidate(id, priority, due, NOW - waited, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("why", "candidates", "picked"),
    [
        ("nobody", [], []),
        ("nobody can", [c(1, runnable=False)], []),
        ("realtime before interactive before bulk", [c(1, B), c(2, I), c(3, R)], [3]),
        ("the one due first in a lane", [c(1, due=NOW + 2), c(2, due=NOW + 1)], [2]),
        ("the older id when due together", [c(2), c(1)], [1]),
        ("a cancelled one before all, to free it", [c(1, R), c(2, B, cancelled=True, runnable=False)], [2]),
        ("a reader that is behind holds nobody up", [c(1, R, runnable=False), c(2, B)], [2]),
        ("bulk that waited one ageing is interactive", [c(1, I, due=NOW), c(2, B, due=NOW - 9, waited=AGEING)], [2]),
        ("bulk that waited two is realtime", [c(1, R, due=NOW), c(2, B, due=NOW - 9, waited=2 * AGEING)], [2]),
        ("a batch steps together", [c(1, batch="w", max_batch=4), c(2, batch="w", max_batch=4), c(3)], [1, 2]),
        ("no more than fit", [c(i, batch="w", max_batch=2) for i in (1, 2, 3)], [1, 2]),
        ("only those of the first one's batch", [c(1, R, batch="a", max_batch=8), c(2, batch="b"), c(3)], [1]),
    ],
)
def test_pick(why: str, candidates: list[Candidate], picked: list[int]) -> None:
    assert pick(candidates, NOW) == picked, why


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(Priority)), st.floats(0, 50)), min_size=1, max_size=8))
def test_nobody_starves(tasks: list[tuple[Priority, float]]) -> None:
    """Whoever steps waits anew: within a bounded number of steps everybody had a turn."""
    now, step = NOW, 0.05
    since = {i: now for i in range(len(tasks))}
    due = {i: now + d for i, (_, d) in enumerate(tasks)}
    seen: set[int] = set()
    for _ in range(int((2 * AGEING + 51) / step) * (len(tasks) + 1)):
        (chosen,) = pick([Candidate(i, tasks[i][0], due[i], since[i]) for i in since], now)
        now += step
        since[chosen] = now
        due[chosen] += step
        seen.add(chosen)
        if seen == set(since):
            return
    raise AssertionError(f"{set(since) - seen} had no turn")


def order(candidates: list[Candidate], steps: int, step: float = 0.1) -> list[str]:
    """The clients served in `steps` steps, all of which are charged as the worker does."""
    tasks = {candidate.id: candidate for candidate in candidates}
    spent = dict.fromkeys((candidate.client for candidate in candidates), 0.0)
    own = dict.fromkeys(tasks, 0.0)
    served, now = [], NOW
    for _ in range(steps):
        given = [
            replace(one, due=one.due + own[id], behind=one.behind + spent[one.client] - own[id], waiting_since=now)
            for id, one in tasks.items()
        ]
        (chosen,) = pick(given, now)
        now += step
        own[chosen] += step
        spent[tasks[chosen].client] += step
        served.append(tasks[chosen].client)
    return served


def test_many_tasks_of_one_client_delay_another_by_a_step() -> None:
    """A thousand commits of one session came first, and all of them wait."""
    many = [c(id, due=NOW - 5, behind=5.0, client="a") for id in range(1000)]
    assert order([*many, c(1000, client="b")], 20).count("b") in (10, 11)
    assert "b" in order([*many, c(1000, client="b")], 2)


def test_tasks_of_one_client_share_its_turns() -> None:
    tasks = [c(1, due=NOW - 1, client="a"), c(2, due=NOW, client="a")]
    assert pick(tasks, NOW) == [1]
    assert pick([replace(tasks[0], due=NOW + 0.1), tasks[1]], NOW) == [2]
