"""Cuts a function that blocks for long into steps, on one thread: the scheduler's other work runs in between.

The function runs in a greenlet. Layers that `hook` prepared evaluate their result and give control back once STEP
seconds have passed. An OS thread cannot do that: MLX's streams belong to the thread that made them. What belongs to a
job and what the package keeps globally is exchanged at each switch: the state of the random numbers, the default stream
and device, and standard output, to which families print.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from io import TextIOBase
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from greenlet import GreenletExit, getcurrent, greenlet

from speechmlx.engines.mlx_audio.tree import layers
from speechmlx.types import Event

log = logging.getLogger(__name__)

STEP = 0.04
"""Seconds after which a step ends at the next hooked layer."""
MOST = 64
"""Hooked calls between two evaluations, at most."""

Emit = Callable[[Event], None]
Work = Callable[[Emit], None]


def steps(work: Work, seed: int) -> Iterator[Event | None]:
    """Run `work(emit)` in steps: each event that it emits, and None wherever it gives control back.

    Random numbers begin at `seed` and are those of `work` alone, however many others run in between. Closing the
    generator ends `work` where it stands: its `finally` blocks run.
    """
    job = _Job(work, seed)
    try:
        while True:
            event = job.resume()
            if job.dead:
                return
            yield event
    finally:
        job.end()


def hook(model: Any) -> None:
    """Let every layer in a list of layers of `model` give control back after its own evaluation."""
    for layer in layers(model):
        if not isinstance(layer, _Hooked):
            layer.__class__ = _hooked(type(layer))  # type: ignore[arg-type]


def rest() -> None:
    """For work that no layer does: give control back where the step of this job has taken long enough."""
    job = getcurrent()
    if isinstance(job, _Job):
        job.rest()


class _Hooked:
    """Mark of the classes that `_hooked` makes."""


@cache
def _hooked(base: type[nn.Module]) -> type[nn.Module]:
    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        result = base.__call__(self, *args, **kwargs)
        job = getcurrent()
        if isinstance(job, _Job):
            job.breathe(result)
        return result

    return type(base.__name__, (base, _Hooked), {"__call__": call, "__module__": base.__module__})


class _Ambient:
    """What a job and the rest of the process each have for themselves."""

    def __init__(self, key: int, stream: Any, device: Any, out: Any) -> None:
        self._key, self._stream, self._device, self._out = key, stream, device, out

    @classmethod
    def now(cls) -> _Ambient:
        high, low = np.array(mx.random.state[0]).tolist()  # type: ignore[index]
        device = mx.default_device()
        return cls(high << 32 | low, mx.default_stream(device), device, sys.stdout)

    def enter(self) -> None:
        mx.random.seed(self._key)  # the halves of a seed are the state that it gives
        mx.set_default_device(self._device)
        mx.set_default_stream(self._stream)
        sys.stdout = self._out


class _Job(greenlet):
    """The greenlet of one call of `steps`."""

    def __init__(self, work: Work, seed: int) -> None:
        super().__init__(self._work)
        self._do = work
        self.gr_context = contextvars.copy_context()
        here = _Ambient.now()
        self._ambient = _Ambient(seed, here._stream, here._device, Printed())
        self._ending = False
        self._every = 1
        self._calls = 0
        self._evaluated = self._resumed = 0.0

    def _work(self) -> None:
        self._do(self._emit)

    def resume(self) -> Event | None:
        """Run to the next event (returned) or pause (None). Raises what the work raises."""
        return self._switched(self.switch)

    def end(self) -> None:
        """End the work where it stands."""
        self._ending = True
        while not self.dead:
            if self:  # it began
                self._switched(lambda: self.throw(GreenletExit))
            else:
                self.throw(GreenletExit)

    def breathe(self, result: Any) -> None:
        """After a hooked layer: evaluate its result, and give control back when the step has taken long enough."""
        if self._ending:
            raise GreenletExit
        self._calls += 1
        if self._calls < self._every:
            return
        self._calls = 0
        try:
            mx.eval(_arrays(result))
        except ValueError:  # inside a function that is being compiled, where nothing can be evaluated
            return
        now = time.perf_counter()
        took, self._evaluated = now - self._evaluated, now
        if took < STEP / 16:
            self._every = min(2 * self._every, MOST)
        elif took > STEP / 2:
            self._every = max(1, self._every // 2)
        self.rest()

    def rest(self) -> None:
        if self._ending:
            raise GreenletExit
        if time.perf_counter() - self._resumed >= STEP:
            self._give_back(None)

    def _emit(self, event: Event) -> None:
        self._give_back(event)

    def _give_back(self, event: Event | None) -> None:
        self.parent.switch(event)
        if self._ending:
            raise GreenletExit

    def _switched(self, switch: Callable[[], Any]) -> Any:
        outside = _Ambient.now()
        self.parent = getcurrent()
        self._ambient.enter()
        self._resumed = self._evaluated = time.perf_counter()
        try:
            return switch()
        finally:
            self._ambient = _Ambient.now()
            outside.enter()


class Printed(TextIOBase):
    """Standard output of a job: the package prints what belongs in the log."""

    def __init__(self) -> None:
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text)[-10_000:].split("\n")
        for line in lines:
            if line.strip():
                log.debug("mlx-audio: %s", line.rstrip())
        return len(text)


def _arrays(result: Any) -> list[mx.array]:
    if isinstance(result, mx.array):
        return [result]
    if isinstance(result, (list, tuple)):
        return [array for item in result for array in _arrays(item)]
    return []
