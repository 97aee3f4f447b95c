"""When weights are compared, set aside and given up."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from support.fake_supervisor import TTS

from speechmlx.errors import WeightsDamaged
from speechmlx.models import store
from speechmlx.runtime.front.integrity import Integrity


class Store:
    """Files that are as `reason` says, and that `fails` to be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reason: str | None = "config.json is wrong"
        self.fails = False
        self.calls: list[str] = []
        monkeypatch.setattr(store, "damage", self._damage)
        monkeypatch.setattr(store, "quarantine", self._quarantine)

    def _damage(self, *_: object) -> str | None:
        self.calls.append("damage")
        return self.reason

    def _quarantine(self, *_: object) -> Path:
        self.calls.append("quarantine")
        if self.fails:
            raise OSError("read-only")
        return Path("/damaged")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(monkeypatch)


async def test_whole_weights_are_read_once_for_all(files: Store) -> None:
    files.reason = None
    integrity = Integrity(Path("/cache"))
    assert await asyncio.gather(*(integrity.check(TTS) for _ in range(3))) == [True] * 3
    assert await integrity.check(TTS)
    assert files.calls == ["damage"]


async def test_damaged_weights_are_set_aside_once_for_all_who_wait(
    files: Store, caplog: pytest.LogCaptureFixture
) -> None:
    integrity = Integrity(Path("/cache"))
    assert await asyncio.gather(*(integrity.check(TTS) for _ in range(3))) == [False] * 3
    assert files.calls == ["damage", "quarantine"]
    assert caplog.messages == ["the weights of tts-row are damaged: config.json is wrong. They are now in /damaged"]


async def test_damaged_weights_of_a_cache_that_cannot_be_written_are_said_to_be_so(
    files: Store, caplog: pytest.LogCaptureFixture
) -> None:
    files.fails = True
    with pytest.raises(WeightsDamaged, match=r"'tts-row' are damaged .*: config\.json is wrong\. .*rm tts-row"):
        await Integrity(Path("/cache")).check(TTS)
    assert "are damaged and cannot be set aside: config.json is wrong; read-only" in caplog.text


async def test_what_the_engine_refuses_is_fetched_again_once(files: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    integrity = Integrity(Path("/cache"))
    integrity.whole.add(TTS.name)
    assert await asyncio.gather(*(integrity.refused(TTS, "NaN") for _ in range(2))) == [True] * 2
    assert integrity.whole == set()
    assert not await integrity.refused(TTS, "NaN")
    assert files.calls == ["quarantine"]
    assert caplog.messages[1:] == ["the weights of tts-row are damaged again, as they were fetched: NaN"]
