"""Cuts a function that blocks for long into steps, on one thread: the scheduler's other work runs in between.

The function runs in a greenlet. Blocks that `hook` prepared evaluate their result and give control back once STEP
seconds have passed. NotFinite ends a job once such a result, or one of a head before it, is no finite number. An OS
thread cannot do that: MLX's streams belong to the thread that made them. What belongs to a job and what the package
keeps globally is exchanged at each switch: the state of the random numbers, the default stream and device, and standard
output, to which families print.
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

from speechmlx.engines.mlx_audio.result_checks import CompiledStep, ResultChecks
from speechmlx.engines.mlx_audio.tree import layers, outer_layers
from speechmlx.types import Event

log = logging.getLogger(__name__)

STEP = 0.04
"""Seconds after which a step ends at the next hooked layer."""
MOST = 64
"""Hooked calls between two evaluations, at most."""

CALL = "__call__"
COMPILED = {"_compiled_tdt_step": "_tdt_step"}
"""Functions of models that are compiled, and their plain forms. Compiled modules are none: clones have them plain."""

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
    """Let every block of `model` give control back after its own evaluation, and note what the layers beside them give.

    Its COMPILED function is compiled anew, with what is noted in it.
    """
    blocks = {id(layer): layer for layer in layers(model)}
    outer = {id(layer): (layer, methods) for layer, methods in outer_layers(model)}
    for key in blocks.keys() | outer.keys():
        layer, noted = outer.get(key) or (blocks[key], ())
        if not isinstance(layer, _Hooked):
            layer.__class__ = _hooked(type(layer), key in blocks, noted)  # type: ignore[arg-type]
    for name, plain in COMPILED.items():
        if hasattr(model, name):
            setattr(model, name, CompiledStep(getattr(model, plain), _computed))


def rest() -> None:
    """For work that no layer does: give control back where the step of this job has taken long enough."""
    job = getcurrent()
    if isinstance(job, _Job):
        job.rest()


class _Hooked:
    """Mark of the classes that `_hooked` makes."""


@cache
def _hooked(base: type[nn.Module], is_block: bool, noted: tuple[str, ...]) -> type[nn.Module]:
    def method(name: str) -> Callable[..., Any]:
        def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            result = getattr(base, name)(self, *args, **kwargs)
            job, tracing = getcurrent(), CompiledStep.tracing
            checks = tracing or (job.checks if isinstance(job, _Job) else None)
            if name in noted and checks is not None:
                checks.note(result)
            if is_block and name == CALL and tracing is None and isinstance(job, _Job):
                job.breathe(result)
            return result

        return call

    methods = {name: method(name) for name in {*noted, CALL}}
    return type(base.__name__, (base, _Hooked), {**methods, "__module__": base.__module__})


def _computed(found: Any, maxima: list[mx.array]) -> None:
    """After a compiled function: as after a block."""
    job = getcurrent()
    if isinstance(job, _Job):
        job.checks.waiting += maxima
        job.breathe(found)


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
        self.checks = ResultChecks()
        self._ending = False
        self._every = 1
        self._calls = 0
        self._evaluated = self._resumed = 0.0

    def _work(self) -> None:
        try:
            self._do(self._emit)
        except Exception:
            self.checks.compute(())  # what the network computed may be why
            raise
        self.checks.compute(())

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
        if not self.checks.compute(result):
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
        if not self._ending:
            self.checks.compute(())
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
