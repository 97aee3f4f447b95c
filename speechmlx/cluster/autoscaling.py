"""How many replicas the load needs: live sessions, and jobs that wait.

Ray Serve calls `wanted_replicas` in its controller, keeps the result between min_replicas and max_replicas, and waits
upscale_delay_s and downscale_delay_s before it acts. It pickles this module by value, so nothing is imported here.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

LOAD = "load"
"""Name of the metric that replicas report: the share of a Mac that they use, see `load`."""
TARGET = 0.75
"""Share of a Mac that replicas are filled to before there is one more."""
FULL_QUEUE = 8
"""Jobs waiting that count as a full Mac."""


class ScalingContext(Protocol):
    """What is read of Ray Serve's AutoscalingContext."""

    target_num_replicas: int

    @property
    def aggregated_metrics(self) -> dict[str, dict[Any, float]] | None:
        """By metric and replica: the mean over the look-back period."""

    @property
    def total_queued_requests(self) -> float:
        """Requests that wait in proxies."""


def load(sessions: int, max_sessions: int, waiting: int) -> float:
    """The share of a Mac that is used: 1.0 with all sessions open, or FULL_QUEUE jobs waiting; it may be more."""
    return sessions / max(1, max_sessions) + waiting / FULL_QUEUE


def wanted_replicas(context: ScalingContext) -> tuple[int, dict[str, Any]]:
    """The number of replicas that the load needs, and no state. Without any report it stays as it is."""
    reports = (context.aggregated_metrics or {}).get(LOAD, {})
    if not reports:
        return context.target_num_replicas, {}
    used = sum(reports.values()) + context.total_queued_requests / FULL_QUEUE
    return max(1, math.ceil(round(used / TARGET, 6))), {}
