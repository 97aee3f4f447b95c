"""`audio-server doctor` in a terminal, on machines with and without problems."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.pty import shown

from speechmlx.models.catalog import CATALOG


@pytest.mark.timeout(300)  # the starter models, where they are not here yet
def test_a_machine_that_is_well(tmp_path: Path, model_folder: Callable[[str], Path]) -> None:
    cache = {model_folder(name).parents[1] for name in CATALOG.profiles["starter"].values()}.pop()
    own = {"HOME": str(tmp_path), "SPEECHMLX_CACHE": str(cache), "SPEECHMLX_PROFILE": "starter", "SPEECHMLX_PORT": "0"}
    text = shown("doctor", env=own)
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line) <= 80
    topics = {line[2:16].strip() for line in text.splitlines() if line.startswith(("✓", "·", "!"))}
    assert {"Settings", "Python", "System", "MLX", "Open files", "Models", "Memory", "Disk", "Access"} <= topics
    assert "✗" not in text and text.endswith("Nothing that the server needs is missing.\n")
    assert "profile = starter (SPEECHMLX_PROFILE)" in " ".join(text.split())


def test_a_machine_that_lacks_much(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = {
            "HOME": str(tmp_path),
            "SPEECHMLX_CACHE": str(tmp_path / "cache"),
            "SPEECHMLX_PORT": str(taken.getsockname()[1]),
            "HF_ENDPOINT": nowhere,
            "UV_INDEX_URL": nowhere,
            "UV_INDEX": "",
            "UV_DEFAULT_INDEX": "",
            "PIP_CONFIG_FILE": "/dev/null",
        }
        text = shown("doctor", "--json", status=1, columns=30_000, env=own)
    found = json.loads(text)
    wrong = {one["topic"]: one for one in found["findings"] if one["state"] == "problem"}
    assert found["ok"] is False and set(wrong) == {"Models", "Port"}
    assert "127.0.0.1 does not answer" in wrong["Models"]["text"] and wrong["Port"]["to_do"]
