"""Which lines a change of the models in memory writes to the log."""

from __future__ import annotations

from typing import Literal

import pytest

from speechmlx.runtime.front.load_log import LoadLog
from speechmlx.runtime.ipc.messages import HeldModel, MemoryReport


def report(**states: Literal["loading", "loaded"]) -> MemoryReport:
    return MemoryReport(tuple(HeldModel(name, state, 2_000_000, False) for name, state in states.items()))


@pytest.mark.parametrize(
    ("reports", "lines"),
    [
        ([report()], []),
        ([report(a="loading")], ["loading a"]),
        ([report(a="loading"), report(a="loading")], ["loading a"]),
        ([report(a="loading"), report(a="loaded")], ["loading a", "loaded a, 2 MB, in 0.00 s"]),
        ([report(a="loaded"), report()], ["loading a", "loaded a, 2 MB, in 0.00 s", "unloaded a"]),
        ([report(a="loading"), report()], ["loading a", "not loaded: a"]),
        ([report(a="loading"), report(a="loading", b="loading")], ["loading a", "loading b"]),
    ],
)
def test_changes_are_logged_once(
    reports: list[MemoryReport], lines: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechmlx.runtime.front.load_log.time.monotonic", lambda: 5.0)
    caplog.set_level("INFO")
    log = LoadLog()
    for each in reports:
        log.update(each)
    assert caplog.messages == lines
