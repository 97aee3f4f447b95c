"""A model of the settings that is pulled while the server runs; tests/models/test_bridge_hub.py asks a hub for one."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from speechmlx.config import Config
from speechmlx.models import admission
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Model
from speechmlx.runtime.front import late_admission
from speechmlx.runtime.front.late_admission import admit_later
from speechmlx.types import Kind

ABSENT = Model(
    name="somebody--a-voice",
    kind=Kind.TTS,
    engine="",
    sources=(),
    size=0,
    memory=0,
    rate=16000,
    licence="",
    aliases=("somebody/a-voice",),
    absent="no network",
)


async def test_it_waits_until_all_are_known_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(late_admission, "PERIOD", 0.01)
    rows: list[Model] = []
    known = replace(CATALOG, absent=(ABSENT,), admitted=lambda: tuple(rows))
    waiting = asyncio.create_task(admit_later(known, Config(cache=tmp_path)))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done and known.resolve("somebody/a-voice") is ABSENT
    rows.append(pulled := replace(ABSENT, absent="", engine="speechmlx.engines.kokoro:load"))
    async with asyncio.timeout(30):
        await waiting
    assert known.missing == () and known.resolve("Somebody/A-Voice", Kind.TTS) is pulled
    assert caplog.messages == [
        "requests for somebody--a-voice fail until it is known what it is: no network",
        "somebody--a-voice is known now",
    ]


async def test_without_absent_models_there_is_nothing_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(30):
        await admit_later(CATALOG, Config(cache=tmp_path))
    assert not caplog.messages


async def test_a_hub_that_never_answers_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        over.wait(30)

    monkeypatch.setattr(late_admission, "PERIOD", 0.01)
    monkeypatch.setattr(admission, "admit_settings", ask)
    known = replace(CATALOG, absent=(ABSENT,))
    waiting = asyncio.create_task(admit_later(known, Config(cache=tmp_path, models={"tts": "somebody/a-voice"})))
    await asyncio.to_thread(asked.wait, 30)
    waiting.cancel()
    (end,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "admission")
    over.set()


async def test_a_model_that_proves_to_be_of_another_kind_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late_admission, "PERIOD", 0.01)
    rows: list[Model] = []
    known = replace(CATALOG, absent=(ABSENT,), admitted=lambda: tuple(rows))
    waiting = asyncio.create_task(admit_later(known, Config(cache=tmp_path, models={"tts": "somebody/a-voice"})))
    await asyncio.sleep(0)
    rows.append(replace(ABSENT, absent="", kind=Kind.ASR, engine="speechmlx.engines.kokoro:load"))
    async with asyncio.timeout(30):
        await waiting
    assert "'somebody/a-voice' is a asr model, not tts" in caplog.messages[-1]
