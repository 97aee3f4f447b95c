"""Who a request comes from. Clients share the engine in turn, and one has only a part of the places."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from speechmlx.types import Listen, Priority, Request


@dataclass(frozen=True)
class EngineClient:
    """`name`: of its turns in the engine. `holder`: of its places (jobs and sessions); "" has no limit of its own."""

    name: str = ""
    holder: str = ""


NOBODY = EngineClient()
current: ContextVar[EngineClient] = ContextVar("client", default=NOBODY)
"""The client that the task under way works for. Tasks that it starts inherit it."""


def share(limit: int) -> int:
    """How many of `limit` places one holder may take."""
    return max(1, limit // 2)


def takes_place(request: Request) -> bool:
    """Whether the job counts towards `max_jobs`. Jobs of live sessions do not: `max_sessions` limits those."""
    return request.priority != Priority.REALTIME and not isinstance(request, Listen)
