"""A server whose files are deleted while it runs, as Homebrew's upgrades do."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from protocols.conftest import Server, serve
from protocols.test_wyoming import connected, read_until
from support.scripted_conversation import LIVE_MODELS
from wyoming.tts import Synthesize

import speechmlx


@contextmanager
def of_a_keg(folder: Path, *flags: str, **environment: str) -> Iterator[tuple[Path, Server]]:
    """A folder with a server's own files, and a server that runs from them."""
    keg = folder / "keg"
    shutil.copytree(Path(speechmlx.__file__).parent, keg / "speechmlx", ignore=shutil.ignore_patterns("__pycache__"))
    venv.EnvBuilder(symlinks=True).create(keg / "venv")
    python = keg / "venv/bin/python"
    site = next((keg / "venv/lib").glob("python*/site-packages"))
    (site / "keg.pth").write_text(f"{keg}\n{sysconfig.get_path('purelib')}\n")
    program = (str(python), "-P", "-m", "speechmlx")
    with serve(folder / "server", *flags, scripted=True, program=program, **environment) as server:
        yield keg, server


async def test_a_model_that_is_not_loaded_yet_is_not_tried(tmp_path: Path) -> None:
    """The engine process is up, and would fail with a traceback; the server would notice a minute later."""
    with of_a_keg(tmp_path, "--wyoming", "0", SPEECHMLX_MODELS=LIVE_MODELS) as (keg, server):
        shutil.rmtree(keg)
        async with connected(server) as client:
            await client.write_event(Synthesize("Hello.").event())
            told = (await read_until(client, "error"))[-1]
        assert told.data["code"] == "engine_lost" and "as after an upgrade" in told.data["text"]
        assert await asyncio.to_thread(server.process.wait, 30) == os.EX_TEMPFAIL
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(("left", "page"), [("", ""), ("python", ""), ("", "/docs"), ("", "/openapi.json")])
def test_it_tells_its_clients_and_ends_with_a_status_after_which_it_is_started_again(
    left: str, page: str, tmp_path: Path
) -> None:
    with of_a_keg(tmp_path, SPEECHMLX_ENGINE_IDLE="1") as (keg, server), server.client() as client:
        server.wait_for_line("the engine process ends until the next request", 30.0)
        shutil.rmtree(keg / "speechmlx" if left else keg)
        speech = {"text": "steps=1", "model": "scripted"}
        answer = client.get(page) if page else client.post("/speak", json=speech)
        assert answer.status_code == 503 and "as after an upgrade" in answer.json()["error"]
        assert server.process.wait(30) == os.EX_TEMPFAIL
    log = server.log.read_text()
    assert log.count(" ERROR   files that this program runs from are gone, as after an upgrade") == 1
    assert log.endswith(
        "audio-server: files that this program runs from are gone, as after an upgrade: it cannot go "
        "on; start it again\n"
    )
    assert "Traceback" not in log and "trying again" not in log
