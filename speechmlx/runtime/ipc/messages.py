"""The messages between the server process and the engine process. Nothing else crosses the pipe between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from speechmlx.models.spec import Model
    from speechmlx.runtime.histogram import Histogram
    from speechmlx.types import Command, Event, Request

OUTPUT_WINDOW = 16
"""Events that a task may post and its reader not have consumed. At this limit the engine does not step the task."""

INPUT_WINDOW = 8
"""Commands that a job may send and the engine not have consumed. At this limit `Job.send` waits."""


DEVICE_FAILED = 71
"""Exit status of an engine process whose GPU failed."""

NO_GPU = 72
"""Exit status of an engine process that is to compute on a GPU, where there is none."""


# --- server process → engine process -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message: `memory_limit` of all models in bytes (0: this machine's), `idle_unload` in seconds (0: models
    stay).

    `llm_context`: tokens of prompt and answer that a language model takes at most. `keep_wired`: as the setting.
    """

    memory_limit: int
    idle_unload: float
    llm_context: int = 8192
    keep_wired: str = "auto"


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a job. `folder` holds the weights of `model`. `client`: whose turns it has; "" has its own.

    `request_id`: of the client's request that the job is part of, for the log; "" outside of one.
    """

    job: int
    request: Request
    model: Model
    folder: str
    client: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """A command for a running job."""

    job: int
    command: Command


@dataclass(frozen=True, slots=True)
class OutputConsumed:
    """The job's reader took `count` more events. `Progress` is not counted."""

    job: int
    count: int


@dataclass(frozen=True, slots=True)
class CancelJob:
    """End a job after the current step. The answer is `Ended`."""

    job: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks for a `Alive`, which the engine process gives between two steps."""


# --- engine process → server process -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine process has imported MLX. `device` describes MLX's device.

    `working_set`: bytes that it recommends to use; 0 for a CPU.
    """

    device: str
    working_set: int = 0


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to a `Probe`: no step hangs."""


@dataclass(frozen=True, slots=True)
class Loading:
    """Whether the step that begins is a slice of a model's load. Sent when that changes."""

    now: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """The engine begins to work on the job: before, nothing of it was consumed."""

    job: int


@dataclass(frozen=True, slots=True)
class Output:
    """An event of a job."""

    job: int
    event: Event


@dataclass(frozen=True, slots=True)
class InputConsumed:
    """The engine took `count` more of the job's commands."""

    job: int
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A SpeechError as plain values. `retry_after` is in seconds."""

    code: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class JobTimes:
    """When the engine process got a job, had loaded its model, began it and ended it: seconds of the monotonic clock.

    `loaded` is None where the model was there already, `begun` where the job was never begun. `worked`: seconds of all
    its steps; those of a batch count for each of its jobs.
    """

    arrived: float
    loaded: float | None
    begun: float | None
    ended: float
    worked: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended and the engine has freed its memory. `failure` is None where it succeeded or was cancelled."""

    job: int
    failure: Failure | None = None
    times: JobTimes | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model that is in memory or that is being loaded."""

    name: str
    state: Literal["loading", "loaded"]
    nbytes: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """All models in memory. Sent when one is added, loaded, pinned or dropped."""

    models: tuple[HeldModel, ...]


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What the engine process did since the last report; about once a second while it works."""

    steps: dict[str, Histogram]
    """Durations of steps by model."""
    waiting: int
    """Jobs that are not begun."""
    memory: int
    """Bytes that MLX holds: arrays and its cache."""
    aims: dict[str, float] = field(default_factory=dict)
    """Seconds that a step should take now, by model: of models that stepped and size their steps by time."""


ToEngine = Setup | Start | Input | OutputConsumed | CancelJob | Probe
