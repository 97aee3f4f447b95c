"""A handler's module is imported in a thread, once, and other tasks go on meanwhile."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import pytest

from speechmlx.protocols.http.later_import import after_import

SLOW = "import threading, time\nTHREAD = threading.current_thread() is threading.main_thread()\ntime.sleep(0.3)\n"


async def test_others_go_on_while_a_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_handler.py").write_text(SLOW)
    frozen = gc.get_freeze_count()
    monkeypatch.syspath_prepend(str(tmp_path))

    @after_import("slow_handler")
    async def handler(word: str) -> str:
        """What it does."""
        assert not sys.modules["slow_handler"].THREAD
        return word

    assert handler.__doc__ == "What it does."
    answers = asyncio.gather(handler("a"), handler("b"))
    turns = 0
    while not answers.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert answers.result() == ["a", "b"] and turns > 5
    assert gc.get_freeze_count() > frozen
    monkeypatch.delitem(sys.modules, "slow_handler")
    with pytest.raises(KeyError):  # it is not imported twice
        await handler("c")


async def test_a_module_that_cannot_be_imported_is_an_error_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_handler.py").write_text("raise ValueError('broken')")
    monkeypatch.syspath_prepend(str(tmp_path))

    @after_import("broken_handler")
    async def handler() -> None:
        raise AssertionError

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await handler()


async def test_modules_that_import_each_other_are_whole_for_two_requests_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mutual"
    package.mkdir()
    (package / "__init__.py").write_text("from mutual.first import one\n")
    (package / "first.py").write_text("import time\ntime.sleep(0.1)\nfrom mutual.second import two\none = two\n")
    (package / "second.py").write_text("import time\ntime.sleep(0.3)\nfrom mutual import third\ntwo = 2\n")
    (package / "third.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    async def work() -> int:
        return 1

    async def ask(module: str) -> int:
        return await after_import(module)(work)()

    assert await asyncio.gather(ask("mutual"), ask("mutual.second")) == [1, 1]
