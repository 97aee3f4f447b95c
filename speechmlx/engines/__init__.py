"""Engines: code that runs a family of models on MLX. This file is their contract; it imports no mlx.

A catalog row names an engine by import string, "speechmlx.engines.kokoro:load". `load` is a generator: every `next()`
is one bounded piece of work (so that live sessions keep their turn while a model loads), and its return value is the
engine. All code here runs on the one thread that owns MLX and keeps no per-request state on the model.

A step should take about 40 ms on an M-series GPU: yield None wherever a longer piece of work can be cut, after
`mx.eval`. An engine raises SpeechErrors for what the client did wrong; anything else reaches it as `engine_failed`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from speechmlx.types import Event, Progress, Request, Samples

Steps = Iterator["Event | None"]
"""None ends a step, events before it are what the step has to say; in a `Stream` each event ends one too."""


@dataclass(frozen=True)
class LoadOptions:
    """What the engine process knows and an engine may need: the `dtype` of the weights in memory and `device`."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    device: Literal["cpu", "gpu"] = "cpu"
    warm_up: bool = True


class Loader(Protocol):
    """The function a catalog row names: `folder` holds the converted weights and config.json."""

    def __call__(self, folder: Path, options: LoadOptions) -> Generator[Progress, None, Engine]: ...


class Engine(Protocol):
    """A model in memory: `Running`, `Streaming` or `Batched`, or several of them for different requests.

    A request with `streams` goes to `open`, any other to `begin` where the engine is `Batched`, else to `run`.
    """

    @property
    def nbytes(self) -> int:
        """Bytes of weights held."""


@runtime_checkable
class Running(Protocol):
    """An engine that answers one request with one generator; closing it (client gone) must free what it holds."""

    def run(self, request: Request) -> Steps: ...


class Stream(Protocol):
    """One live input. `feed` and `finish` return steps that are run to their end before the next call."""

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
class Streaming(Protocol):
    """An engine that answers requests with `streams = True`."""

    def open(self, request: Request) -> Stream | TextStream: ...


class State(Protocol):
    """One request inside a batch: the engine sets `finished` when `step` has nothing more to do for it."""

    finished: bool


@runtime_checkable
class Batched(Protocol):
    """An engine that steps several requests at once.

    `begin` checks the request (raising SpeechErrors) and does no long work; `step` does one bounded piece for all the
    states given and returns each one's events, in order; `end` frees a state, finished or not, exactly once.
    An exception value among the events ends that state alone; an exception raised ends them all.
    """

    max_batch: int

    def begin(self, request: Request) -> State: ...

    def step(self, states: Sequence[State]) -> Sequence[Sequence[Event | Exception]]: ...

    def end(self, state: State) -> None: ...


@runtime_checkable
class Seated(Batched, Protocol):
    """A batched engine whose states hold much memory: about `max_open` are begun at a time, the other requests wait."""

    max_open: int
