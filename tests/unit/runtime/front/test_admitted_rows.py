"""Models that are admitted while a server runs, and a disk that does not answer: a pipe in a record's place."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from speechmlx.config import Config
from speechmlx.errors import UnknownModel
from speechmlx.models import admission, catalog, store
from speechmlx.runtime.front import admitted_rows
from speechmlx.runtime.front.runtime import Runtime

NAME = "local--a-model"


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "sensevoice"}))
    save_file({"weight": np.ones(4, np.float32)}, folder / "model.safetensors")
    return str(folder)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """Of a cache in which no model is admitted. Its engine process is not started."""
    config = Config(profile="starter", cache=tmp_path / "cache")
    return Runtime(config, catalog.load(store.cache_folder(config)))


@contextmanager
def stuck(cache: Path) -> Iterator[None]:
    """Who reads the records waits until this is over."""
    pipe = cache / admission.ADMITTED / "stuck.json"
    pipe.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(pipe)
    try:
        yield
    finally:
        end = os.open(pipe, os.O_RDWR)  # lets go of who waits for a writer
        pipe.unlink()
        os.close(end)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def names(runtime: Runtime) -> tuple[str, ...]:
    return runtime.catalog.names()


async def test_a_disk_that_does_not_answer_holds_up_no_request(
    runtime: Runtime, tmp_path: Path, checkpoint: str
) -> None:
    admission.admit(runtime.catalog, [checkpoint], tmp_path / "cache")

    def ask() -> None:
        assert runtime.model("a-model", None).name == NAME and NAME in names(runtime)
        with pytest.raises(UnknownModel):
            runtime.model("nobody/nothing", None)

    with stuck(tmp_path / "cache"):
        async with asyncio.timeout(30):
            await asyncio.to_thread(ask)


async def test_what_is_admitted_through_this_server_is_known_at_once(
    runtime: Runtime, tmp_path: Path, checkpoint: str
) -> None:
    admission.admit(runtime.catalog, [checkpoint], tmp_path / "cache")
    assert runtime.model(checkpoint, None).name == NAME


async def test_what_another_process_admits_or_forgets_is_seen(
    runtime: Runtime, tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitted_rows, "PERIOD", 0.0)
    looking = asyncio.create_task(runtime.admitted.run())
    other = catalog.load(tmp_path / "cache")
    admission.admit(other, [checkpoint], tmp_path / "cache")
    await until(lambda: NAME in names(runtime))
    admission.forget(other.resolve(NAME), tmp_path / "cache")
    await until(lambda: NAME not in names(runtime))
    looking.cancel()
    assert isinstance((await asyncio.gather(looking, return_exceptions=True))[0], asyncio.CancelledError)


async def test_the_look_that_waits_for_the_disk_holds_up_neither_the_loop_nor_the_end(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitted_rows, "PERIOD", 0.0)
    with stuck(tmp_path / "cache"):
        looking = asyncio.create_task(runtime.admitted.run())
        await until(lambda: any(thread.name == "admission" for thread in threading.enumerate()))
        assert NAME not in names(runtime)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "admission")


async def test_a_folder_that_cannot_be_looked_into_for_a_while_forgets_nothing(
    runtime: Runtime, tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitted_rows, "PERIOD", 0.0)
    admission.admit(runtime.catalog, [checkpoint], tmp_path / "cache")
    looks, look = 0, Path.is_dir

    def fail(path: Path, **how: bool) -> bool:
        nonlocal looks
        if path.name != admission.ADMITTED:
            return look(path, **how)
        looks += 1
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "is_dir", fail)
    looking = asyncio.create_task(runtime.admitted.run())
    await until(lambda: looks > 2)
    assert NAME in names(runtime)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
