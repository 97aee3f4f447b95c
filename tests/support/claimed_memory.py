"""What requests claim of memory: whether their keys and values stay below it, and what is refused for want of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from speechmlx.engines import Claiming, Steps
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.errors import BadRequest, Busy
from speechmlx.types import Request, Usage


class SeenCaches:
    """The most bytes that the caches of a job came to together."""

    def __init__(self) -> None:
        self.caches: WeakSet[Any] = WeakSet()
        self.tuples: dict[int, int] = {}
        self.most = 0

    def watching(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """The method of a cache that changes it."""

        def changed(cache: Any, *new: Any) -> Any:
            given = change(cache, *new)
            self.caches.add(cache)
            self.look()
            return given

        return changed

    @property
    def nbytes(self) -> int:
        """Bytes of those that are there now."""
        arrays = (array for cache in self.caches for _, array in tree_flatten(list(vars(cache).values())))
        return sum(array.nbytes for array in arrays if isinstance(array, mx.array))

    def look(self) -> None:
        self.most = max(self.most, self.nbytes + sum(self.tuples.values()))


def claimed(engine: Any, request: Request) -> int:
    """Bytes that a request claims, which is cancelled before its first step."""
    job = engine.run(request)
    held: int = engine.held
    job.close()
    return held


def claimed_and_used(engine: Any, request: Request, seen: SeenCaches) -> int:
    """Bytes that a request claims before its first step: its caches come to no more, and to no less than a quarter."""
    assert isinstance(engine, Claiming)
    job = engine.run(request)  # type: ignore[attr-defined]
    held = engine.held
    assert seen.most == 0 < held, "before the first step"
    assert isinstance(list(job)[-1], Usage)
    assert seen.most <= held <= 4 * seen.most
    del job
    gc.collect()
    assert seen.nbytes == engine.held, "what is not counted is not kept"
    return held


@contextmanager
def room(engine: Any, most: int) -> Iterator[None]:
    """The requests of `engine` may have `most` bytes, and others hold them."""

    def claim(nbytes: int) -> None:
        raise Busy(f"{nbytes} wanted")

    engine.room = SimpleNamespace(most=most, claim=claim)
    try:
        yield
    finally:
        engine.room = Unlimited()


def check_no_claim(engine: Any, run: Callable[[], Steps], seen: SeenCaches | None = None) -> None:
    """A job without keys and values needs no room."""
    if not isinstance(engine, Claiming):
        assert list(run())
    else:
        with room(engine, 0):
            job = run()
            assert engine.held == 0 and list(job)
    assert seen is None or seen.most == 0


def check_refused(engine: Any, begin: Callable[[], Any], says: str) -> None:
    """One more request, as large as the open one: it can never be, or others hold what it needs."""
    size = engine.held
    with room(engine, size - 1), pytest.raises(BadRequest, match=says):
        begin()
    with room(engine, 2 * size), pytest.raises(Busy, match=f"{2 * size} wanted"):
        begin()
    assert engine.held == size > 0


def check_job_refused(engine: Any, request: Request, says: str) -> None:
    """The same beside a job of `request`, which goes on, and holds nothing once it is cancelled."""
    job = engine.run(request)
    check_refused(engine, lambda: engine.run(request), says)
    size = engine.held
    next(job)
    assert engine.held == size
    job.close()
    assert engine.held == 0


class SmallRoom(Unlimited):
    """Room for `most` bytes, of which others leave `free`."""

    def __init__(self, most: int, free: int) -> None:
        self.most = self.reachable = most
        self.free = free

    def claim(self, nbytes: int) -> None:
        if nbytes > self.free:
            raise Busy("full")


def check_frames_claimed(engine: Any, request: Request) -> int:
    """Bytes that a request claims of an engine that speaks in frames, before its keys and values are there."""
    state = engine.begin(request)
    needs: int = engine.held
    while not state.finished:
        engine.step([state])
        assert engine.loop.memory.nbytes <= needs
    engine.room = SmallRoom(needs * 3, needs)
    try:
        with pytest.raises(Busy):
            engine.begin(request)
        engine.end(state)
        engine.end(engine.begin(request))
        engine.room = SmallRoom(needs // 2, needs)
        with pytest.raises(BadRequest, match=r"the text needs \d+ MB beside the model"):
            engine.begin(request)
        assert engine.held == 0
    finally:
        engine.room = Unlimited()
    return needs
