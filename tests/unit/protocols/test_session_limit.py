"""One limit for the live sessions of every wire."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from speechmlx.errors import Busy
from speechmlx.protocols import session_limit
from speechmlx.protocols.session_limit import SessionLimit
from speechmlx.runtime.front.client import Client, current
from speechmlx.runtime.front.metrics import Metrics


async def test_the_last_place_is_waited_for_and_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_limit, "LEAVING", 0.02)
    metrics = Metrics()
    limit = SessionLimit(1, SimpleNamespace(metrics=metrics))  # type: ignore[arg-type]
    async with limit.session("asr"):
        assert metrics.sessions == metrics.wire_sessions["asr"] == 1
        with pytest.raises(Busy, match=r"1 live sessions are open.*max_sessions"):
            async with limit.session():
                raise AssertionError
    assert metrics.sessions == metrics.wire_sessions["asr"] == 0
    first = limit.session()
    await first.__aenter__()
    asyncio.get_running_loop().call_later(0.005, lambda: asyncio.ensure_future(first.__aexit__(None, None, None)))
    async with limit.session():
        assert metrics.sessions == 1


async def test_one_holder_has_half_of_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_limit, "LEAVING", 0.02)
    limit = SessionLimit(4, SimpleNamespace(metrics=Metrics()))  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        current.set(Client("192.0.2.1", "192.0.2.1"))
        for _ in range(2):
            await stack.enter_async_context(limit.session())
        with pytest.raises(Busy, match=r"2 live sessions of 192.0.2.1 are open, its share of .*max_sessions"):
            await stack.enter_async_context(limit.session())
        current.set(Client("127.0.0.1 4711"))  # a program on this machine may have all
        for _ in range(2):
            await stack.enter_async_context(limit.session())
        with pytest.raises(Busy, match="4 live sessions are open"):
            await stack.enter_async_context(limit.session())
    current.set(Client("192.0.2.1", "192.0.2.1"))
    async with limit.session(), limit.session():
        pass


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_a_session_leaves_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_limit, "COLLECT", 0.01)
    limit = SessionLimit(2, SimpleNamespace(metrics=Metrics()))  # type: ignore[arg-type]
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            async with limit.session(), limit.session():
                left = weakref.ref(Knot())
                await asyncio.sleep(0.02)
                assert left() is not None
            await asyncio.sleep(0.03)
            assert left() is None
    finally:
        gc.enable()
