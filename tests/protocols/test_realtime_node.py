"""OpenAI's JavaScript clients against the server: the Agents SDK, the beta client and, with TLS, the SDK itself.

They want Node and npm.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from protocols.conftest import Server, serve
from support.scripted_conversation import MODELS, words

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


def run(node: Path, script: str, server: Server, *more: str, **environment: str) -> dict[str, Any]:
    command = ["node", script, server.url.replace("http", "ws"), *more]
    settings = {**os.environ, **environment}
    ran = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=80, env=settings)
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


def test_the_sdk_that_speaks_wss_alone(node: Path, tmp_path: Path) -> None:
    """Outside of browsers it makes wss of every address, so it needs the server's TLS; and its key is checked."""
    flags, home = ("--tls-self-signed", "--api-key", "smx-right"), str(tmp_path)
    with serve(tmp_path, *flags, SPEECHMLX_MODELS=MODELS, HOME=home, XDG_CONFIG_HOME=home) as server:
        certificate = re.search(r"self-signed certificate (.+), SHA-256", server.log.read_text())
        assert certificate is not None
        facts = run(node, "secure.mjs", server, "smx-right", NODE_EXTRA_CA_CERTS=certificate[1])
        assert facts["url"] == "wss:" and facts["statuses"] == ["completed"] * 4
        text, manual, after_tool = facts["words"]
        assert text.startswith("You said: good morning.") and words(0.4) in manual and "rain in Paris" in after_tool
        assert facts["loudest"] > 16000
        for key, trusted, said in (("smx-wrong", certificate[1], "401"), ("smx-right", "", "self-signed certificate")):
            command = ["node", "secure.mjs", server.url.replace("http", "ws"), key]
            settings = {**os.environ, "NODE_EXTRA_CA_CERTS": trusted}
            ran = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=80, env=settings)
            assert ran.returncode == 2 and said in ran.stderr
