"""One limit for the live sessions of every wire."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace

import pytest

from speechmlx.config import Config
from speechmlx.errors import Busy
from speechmlx.protocols import session_limit
from speechmlx.protocols.http.rate_limits import ClientUsage
from speechmlx.protocols.session_limit import SessionLimit
from speechmlx.runtime.front.metrics import Metrics


async def test_the_last_place_is_waited_for_and_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_limit, "LEAVING", 0.02)
    metrics = Metrics()
    limit = SessionLimit(1, SimpleNamespace(metrics=metrics), ClientUsage(Config()))  # type: ignore[arg-type]
    async with limit.session("asr"):
        assert metrics.sessions == metrics.wire_sessions["asr"] == 1
        with pytest.raises(Busy, match=r"1 live sessions are open.*max_sessions"):
            async with limit.session():
                raise AssertionError
    assert metrics.sessions == metrics.wire_sessions["asr"] == 0
    monkeypatch.setattr(session_limit, "LEAVING", 30.0)
    first = limit.session()
    await first.__aenter__()
    asyncio.get_running_loop().call_later(0.005, lambda: asyncio.ensure_future(first.__aexit__(None, None, None)))
    async with limit.session():
        assert metrics.sessions == 1


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_a_session_leaves_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_limit, "COLLECT", 0.01)
    limit = SessionLimit(2, SimpleNamespace(metrics=Metrics()), ClientUsage(Config()))  # type: ignore[arg-type]
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
