"""What passes the pipe between the front and the engine process. Nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.models.spec import Model
    from speechmlx.types import Command, Event, Request

OUTPUT_WINDOW = 16
"""Events a task may post beyond what its reader took; then it does not step. This is all of backpressure."""

INPUT_WINDOW = 8
"""Commands a job may send beyond what the engine used; then `Job.send` waits."""


# --- front → engine process --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setup:
    """First message: limits of this engine process. `memory_limit` in bytes, `idle_unload` in seconds (0 never)."""

    memory_limit: int
    idle_unload: float


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a job; `folder` holds the weights of `model`."""

    job: int
    request: Request
    model: Model
    folder: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A command for a running job."""

    job: int
    command: Command


@dataclass(frozen=True, slots=True)
class Taken:
    """The reader took `count` events more."""

    job: int
    count: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants the rest. Answered by `Ended` like any other end."""

    job: int


# --- engine process → front --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is up: MLX's device in words."""

    device: str


@dataclass(frozen=True, slots=True)
class Said:
    """A job's event."""

    job: int
    event: Event


@dataclass(frozen=True, slots=True)
class Used:
    """The engine used `count` commands more."""

    job: int
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A SpeechError as plain values."""

    code: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is over; its task is freed."""

    job: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A model in (or on its way into) memory."""

    name: str
    state: str
    """"loading" or "loaded"."""
    nbytes: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Sent whenever it changes."""

    models: tuple[Held, ...]


ToEngine = Setup | Start | Tell | Taken | Cancel
ToFront = Ready | Said | Used | Ended | Memory
