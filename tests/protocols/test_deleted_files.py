"""A server whose files are deleted while it runs, as Homebrew's upgrades do."""

from __future__ import annotations

import os
import shutil
import sysconfig
import venv
from pathlib import Path

import pytest
from protocols.conftest import serve

import speechmlx


@pytest.mark.parametrize(("left", "page"), [("", ""), ("python", ""), ("", "/docs"), ("", "/openapi.json")])
def test_it_tells_its_clients_and_ends_with_a_status_after_which_it_is_started_again(
    left: str, page: str, tmp_path: Path
) -> None:
    keg = tmp_path / "keg"
    shutil.copytree(Path(speechmlx.__file__).parent, keg / "speechmlx", ignore=shutil.ignore_patterns("__pycache__"))
    venv.EnvBuilder(symlinks=True).create(keg / "venv")
    python = keg / "venv/bin/python"
    site = next((keg / "venv/lib").glob("python*/site-packages"))
    (site / "keg.pth").write_text(f"{keg}\n{sysconfig.get_path('purelib')}\n")
    program = (str(python), "-P", "-m", "speechmlx")
    with serve(tmp_path / "server", program=program, SPEECHMLX_ENGINE_IDLE="1") as server, server.client() as client:
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
