"""A server for `audio-server bench`: of the person's settings, on a free port of this machine alone, until the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from speechmlx import foreign_names
from speechmlx.cli.terminal.servers import ServerAddress, probe
from speechmlx.config import KINDS, PREFIX, Config
from speechmlx.errors import Unavailable
from speechmlx.settings_file import toml

START_SECONDS, STOP_SECONDS = 60.0, 15.0
KEPT = (
    "profile", "languages", "models", "cache", "lexicon", "memory_limit", "step_timeout", "llm_url", "llm_url_model",
    "llm_url_key",
)  # fmt: skip
"""The person's settings that this server has: those of the models."""
MANY = 64
"""Live sessions that it takes."""


@contextmanager
def bench_server(config: Config) -> Iterator[ServerAddress]:
    """In the block, a server with the models of the settings. Raises Unavailable, with what it said at its start."""
    with tempfile.TemporaryDirectory(prefix="speechmlx-bench-") as name:
        folder = Path(name)
        log = folder / "log"
        file = folder / "config.toml"
        file.write_text(settings_text(config))
        start = ("-c", "from speechmlx.cli import main; main()", "serve", "--config", str(file), "--port", "0")
        command = [sys.executable, *start, "--max-sessions", str(MANY)]
        settings = {f"{PREFIX}{name.upper()}" for name in (*KINDS, *(entry.name for entry in fields(Config)))}
        others = {foreign_names.KEY, foreign_names.MODEL, *foreign_names.PORTS}
        environment = {name: value for name, value in os.environ.items() if name not in settings | others}
        environment |= {"SPEECHMLX_JOB_FOLDER": str(folder), "SPEECHMLX_KEY_FILE": str(folder / "keys.json")}
        with log.open("wb") as out:
            # A group of its own: Ctrl-C is for the command, which ends it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        try:
            yield ServerAddress(_started(process, log))
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def settings_text(config: Config) -> str:
    """The KEPT settings as TOML."""
    tables, lines = {name: getattr(config, name) for name in KEPT}, []
    models = tables.pop("models")
    for name, value in tables.items():
        if value is not None:
            lines.append(f"{name} = {toml(value)}")
    lines += ["[models]", *(f"{kind} = {toml(name)}" for kind, name in models.items())]
    return "\n".join(lines) + "\n"


def _started(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"Starting server on (https?://[^\s/]+)", log.read_text(errors="replace"))
        if found is not None and probe(ServerAddress(found[1]), timeout=1.0) is None:
            return found[1]
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise Unavailable("\n".join(["the server to measure did not start:", *said]))
