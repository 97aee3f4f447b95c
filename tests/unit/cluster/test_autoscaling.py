"""How many replicas a load needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from speechmlx.cluster.autoscaling import FULL_QUEUE, LOAD, load, wanted_replicas


@dataclass
class Context:
    """What Ray Serve tells a policy."""

    aggregated_metrics: dict[str, dict[Any, float]] | None
    total_queued_requests: float = 0.0
    target_num_replicas: int = 2


@pytest.mark.parametrize(
    ("sessions", "waiting", "share"),
    [(0, 0, 0.0), (8, 0, 0.5), (16, 0, 1.0), (0, FULL_QUEUE, 1.0), (16, 2 * FULL_QUEUE, 3.0)],
)
def test_a_mac_is_full_of_sessions_or_of_waiting_jobs(sessions: int, waiting: int, share: float) -> None:
    assert load(sessions, 16, waiting) == share


def test_a_server_without_sessions_has_no_load_by_them() -> None:
    assert load(0, 0, 0) == 0.0


@pytest.mark.parametrize(
    ("loads", "queued", "replicas"),
    [
        ([0.0, 0.0], 0, 1),  # never none
        ([0.75], 0, 1),
        ([0.76], 0, 2),
        ([0.75, 0.75], 0, 2),
        ([1.0, 1.0, 1.0], 0, 4),
        ([0.5], FULL_QUEUE, 2),  # what waits in proxies counts too
    ],
)
def test_replicas_are_filled_to_three_quarters(loads: list[float], queued: int, replicas: int) -> None:
    context = Context({LOAD: dict(enumerate(loads))}, queued)
    assert wanted_replicas(context) == (replicas, {})


@pytest.mark.parametrize("metrics", [None, {}, {"other": {"a": 9.0}}])
def test_without_reports_the_number_stays(metrics: dict[str, dict[Any, float]] | None) -> None:
    assert wanted_replicas(Context(metrics, 100, target_num_replicas=3)) == (3, {})
