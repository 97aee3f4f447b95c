"""BackgroundJob: one row of the store."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ID = re.compile("job_[0-9a-f]{32}")


class JobState(StrEnum):
    """Where a job stands. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class HookState(StrEnum):
    """Where the delivery of a job's webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class JobHook:
    """Where the end of a job is told."""

    url: str
    method: str = "POST"
    sends_result: bool = False
    """The result itself is sent, not a message about it."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What is known of a job when it is accepted."""

    id: str
    owner: str
    """Whose job it is: nobody else sees it."""
    client: str
    """The name that limits count under."""
    path: str
    """Of its route."""
    size: int
    """Bytes of its files."""
    hook: JobHook | None = None


@dataclass(frozen=True, kw_only=True)
class BackgroundJob:
    """A job as it is kept. Times are Unix seconds."""

    number: int
    """In the order of acceptance."""
    id: str
    owner: str
    client: str
    path: str
    state: JobState
    size: int
    """Bytes of its files."""
    created: float
    started: float | None
    finished: float | None
    total: float | None
    """Seconds of audio in all; None until it was decoded."""
    done: float
    """Seconds of audio that are recognised."""
    losses: int
    """How often it was interrupted without progress since."""
    error: dict[str, Any] | None
    status: int | None
    """HTTP status of its result."""
    headers: tuple[tuple[str, str], ...]
    result: str
    """Name of the file with the result's body."""
    hook: JobHook | None
    hook_state: HookState | None
    hook_tries: int
    hook_error: str | None

    @property
    def progress(self) -> float:
        """From 0 to 1, of the audio."""
        if self.state == JobState.DONE:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


def new_id() -> str:
    """A new id, which cannot be guessed."""
    return f"job_{secrets.token_hex(16)}"
