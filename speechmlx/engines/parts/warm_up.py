"""What a model says or hears while it is loaded, so that its first requests find kernels compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from speechmlx.engines.finite import raise_first
from speechmlx.types import Audio, Progress, Request


def warm_up(engine: Any, request: Request, together: tuple[int, ...] = (1,)) -> Iterator[Progress]:
    """Run `request` on a `Batched` engine to its end, as often at once as `together` says. Raises its error."""
    done = 0
    for count in together:
        states = list[Any]()
        try:
            states += (engine.begin(request) for _ in range(count))
            while live := [state for state in states if not state.finished]:
                yield Progress("warm_up", done, done + 1)
                raise_first(engine.step(live))
                done += 1
        finally:
            for state in states:
                engine.end(state)


def noise(seconds: float, rate: int) -> Audio:
    """A sound as loud as speech, at `rate` Hz: what a model hears, or imitates, that nobody has said anything to."""
    return Audio(np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32), rate)
