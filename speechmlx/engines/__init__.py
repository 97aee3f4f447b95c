"""Engines: code that runs a family of models on MLX. This file is their contract; it imports no mlx.

A catalog row names an engine by import string, "speechmlx.engines.kokoro:load". `load` is a generator: every `next()`
is one bounded piece of work (so that live sessions keep their turn while a model loads), and its return value is the
engine. All code here runs on the one thread that owns MLX and keeps no per-request state on the model.

An engine works in one of four ways:

    input         one request at a time    several requests in a batch
    whole         Running                  Batched (Seated when few may be open)
    live          Streaming                BatchedStreaming

A step should take about AIM on an M-series GPU: cut longer work after an `mx.eval`. Where the time of a piece of work
depends on the machine, the engine is `Paced` and sizes its steps by `step_size.StepSize`. An engine raises SpeechErrors
for what the client did wrong; any other exception reaches the client as `engine_failed`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from speechmlx.types import Command, Event, Progress, Request, Samples

Steps = Iterator["Event | None"]
"""None ends a step; the events before it are the step's output. In a `Stream` each event ends a step too."""

AIM = 0.04
"""Seconds that a step should take while a realtime task exists, which waits for the end of the step under way."""
LONG_AIM = 0.15
"""Seconds that a step should take while none exists: larger pieces of work are done in less time altogether."""


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model: the `dtype` of its weights in memory, the `device`, and whether to warm it up."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    device: Literal["cpu", "gpu"] = "cpu"
    warm_up: bool = True
    context: int = 8192
    """Tokens of prompt and answer that a language model takes at most."""


class Loader(Protocol):
    """The function a catalog row names: `folder` holds the converted weights and config.json."""

    def __call__(self, folder: Path, options: LoadOptions) -> Generator[Progress, None, Engine]: ...


class Engine(Protocol):
    """A model in memory that implements one or more of the protocols below.

    A request with `streams` goes to `BatchedStreaming.begin` or else to `Streaming.open`; any other request goes to
    `Batched.begin` or else to `Running.run`.
    """

    @property
    def nbytes(self) -> int:
        """Bytes of weights held."""


class Room(Protocol):
    """The memory for the requests of one model beside its weights. All in bytes."""

    @property
    def most(self) -> int:
        """What there is where no other model is in memory."""

    @property
    def reachable(self) -> int:
        """What there is once all other models have left that can: that are neither pinned nor at work."""

    @property
    def free(self) -> int:
        """What no model holds now."""

    def claim(self, nbytes: int) -> None:
        """Have room for all of the model's requests together. Raises Busy, with the numbers, where others hold it."""


@runtime_checkable
class Claiming(Engine, Protocol):
    """An engine whose requests hold much memory beside its weights, keys and values, and claim it before they hold any.

    The worker sets `room` after the load.
    """

    room: Room

    @property
    def held(self) -> int:
        """Bytes that its requests and caches hold, or may come to hold."""


@runtime_checkable
class Paced(Protocol):
    """An engine whose steps are as long as the worker asks. What it computes does not depend on that.

    The worker sets `aim`, in seconds, before each step: AIM while a realtime task exists, LONG_AIM while none does.
    """

    aim: float


@runtime_checkable
class Running(Protocol):
    """An engine that answers one request with one generator. Closing the generator must free what it holds."""

    def run(self, request: Request) -> Steps: ...


class Stream(Protocol):
    """One live input. The worker runs the steps of `feed` and `finish` to their end before the next call."""

    def feed(self, samples: Samples) -> Steps: ...

    def finish(self) -> Steps: ...

    def close(self) -> None:
        """Free what the stream holds. Called exactly once, also after an error or a cancel."""


@runtime_checkable
class TextStream(Protocol):
    """One text that is still being written, as `SpeakStream` feeds it; works like `Stream`."""

    def feed_text(self, text: str) -> Steps: ...

    def finish(self) -> Steps: ...

    def close(self) -> None: ...


@runtime_checkable
class FlushableTextStream(TextStream, Protocol):
    """A text stream that can be told to say what it has."""

    def flush_text(self) -> Steps:
        """Say the text so far to its end, then give `TextFlushed`."""


@runtime_checkable
class Streaming(Protocol):
    """An engine that answers requests with `streams = True`, each by itself."""

    def open(self, request: Request) -> Stream | TextStream: ...


class RequestState(Protocol):
    """One request inside a batch. The engine sets `finished` when `step` has nothing more to do for it."""

    finished: bool


@runtime_checkable
class Batched(Protocol):
    """An engine that steps several requests at once, up to `max_batch`.

    `begin` checks the request (raising SpeechErrors) and does no long work. `step` does one bounded piece of work for
    the states given and returns the events of each, in the same order. `end` frees a state, finished or not; the worker
    calls it exactly once. An exception among the events ends that state alone; an exception raised ends all of them.
    """

    max_batch: int

    def begin(self, request: Request) -> RequestState: ...

    def step(self, states: Sequence[RequestState]) -> Sequence[Sequence[Event | Exception]]: ...

    def end(self, state: RequestState) -> None: ...


@runtime_checkable
class Seated(Batched, Protocol):
    """A batched engine whose states hold much memory: about `max_open` are open at a time, other requests wait."""

    max_open: int


class StreamState(RequestState, Protocol):
    """One live input inside a batch; `finished` once all of its input was processed and it was fed an `End`."""

    @property
    def busy(self) -> bool:
        """Whether `step` has work to do on the input fed so far. An idle state may be fed its next command."""


@runtime_checkable
class BatchedStreaming(Protocol):
    """An engine that steps several live inputs at once, up to `max_batch`; it answers requests with `streams = True`.

    `begin` and `end` are those of `Batched`. `feed` gives an idle state one command and does no long work; it raises
    SpeechErrors for bad input. `step` does one bounded piece of work and returns the events of each state, in the same
    order. The piece is for the first state, whose turn it is; the other states advance where they can share that piece.

    An engine may be both `Batched` and `BatchedStreaming`. One `step` gets either live states or others, never both.
    """

    max_batch: int

    def begin(self, request: Request) -> StreamState: ...

    def feed(self, state: StreamState, command: Command) -> None: ...

    def step(self, states: Sequence[StreamState]) -> Sequence[Sequence[Event | Exception]]: ...

    def end(self, state: StreamState) -> None: ...
