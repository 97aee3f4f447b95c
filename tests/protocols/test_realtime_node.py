"""OpenAI's JavaScript clients against the server: the Agents SDK and the beta client. They want Node and npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.scripted_conversation import words

if TYPE_CHECKING:
    from protocols.conftest import Server

SCRIPTS = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts with their packages installed."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("the JavaScript clients want Node and npm, which are not here")
    folder = tmp_path_factory.mktemp("node")
    for script in SCRIPTS.glob("*.*"):
        shutil.copy(script, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    if installed.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"npm could not install the JavaScript clients: {installed.stderr.strip()[-300:]}")
    return folder


def run(node: Path, script: str, server: Server) -> dict[str, Any]:
    command = ["node", script, server.url.replace("http", "ws")]
    ran = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=80)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{server.log.read_text()[-2000:]}"
    facts: dict[str, Any] = {}
    for line in ran.stdout.splitlines():
        facts |= json.loads(line)
    return facts


def test_agents(node: Path, conversing: Server) -> None:
    facts = run(node, "agents.mjs", conversing)
    assert facts["tool"].startswith("The tool said: rain in Paris.")
    assert facts["text"].startswith("You said: good morning.")
    assert words(0.4) in facts["manual"]
    assert facts["audio"] > 24000 and facts["loudest"] > 16000
    assert facts["statuses"] == ["cancelled", "completed"]
    assert facts["heard"] == [words(0.5)] * 2


def test_beta_client(node: Path, conversing: Server) -> None:
    facts = run(node, "legacy.mjs", conversing)
    assert facts["text"].startswith("You said: good morning.")
    assert words(0.4) in facts["manual"]
    assert "rain in Paris" in facts["tool"]
    assert facts["loudest"] > 16000
    assert facts["statuses"] == ["cancelled", "completed"]
    assert facts["heard"] == [words(0.5)] * 2
    assert facts["transcribed"] == [words(0.5)]
    assert facts["answered"] == []


def test_the_example_of_the_server_that_came_before(node: Path, conversing: Server) -> None:
    facts = run(node, "seed.mjs", conversing)
    assert facts["played"] > 24000 and facts["loudest"] > 16000
    assert facts["errors"] == 0
