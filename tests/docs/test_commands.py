"""Every block of commands and of Python in the documents runs, or its comment says what runs it; see documents.py."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from protocols.conftest import Server, serve
from support import fetched, scripted_documents
from support.document_commands import URL, serves
from support.documents import DOCUMENTS, PYTHON, ROOT, SHELL, Block, all_blocks, blocks
from support.scripted_conversation import SPEECH_RATE, tone
from support.scripted_conversation import words as spoken

from speechmlx.certificate import make_certificate
from speechmlx.cli import main

COMMAND = Path(sys.executable).with_name("audio-server")
SHIMS = Path(__file__).parents[1] / "support/document_commands.py"
ON_MACOS = {"brew"}
OVER_A_NETWORK = {"apt", "brew", "npm", "pip", "uv"}
FETCHING = (["pull"], ["extras", "install"])
"""Verbs of audio-server that need a network."""
RUN = [file for file in DOCUMENTS if any(not block.note for block in blocks(file) if block.language in SHELL + PYTHON)]


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its models have scripted engines. scripts/demo and the tests of the wires use the real ones."""
    folder = tmp_path_factory.mktemp("server")
    fetched.fill(folder / "cache", scripted_documents.stand_in)
    with serve(folder, SPEECHMLX_CATALOG="support.scripted_documents:stand_in") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a document's commands run: with the files that a reader is told to have."""
    work = tmp_path / "work"
    work.mkdir()
    for recording in ("question.wav", "talk.wav", "meeting.mp3"):
        soundfile.write(work / recording, np.frombuffer(tone(0.6), "<i2"), SPEECH_RATE)
    (work / "lines.txt").write_text("It costs $5.\nAt 9:30.\n")
    certificate, key = make_certificate(["localhost"], datetime.now(UTC))
    (work / "fullchain.pem").write_bytes(certificate)
    (work / "privkey.pem").write_bytes(key)
    return work


@pytest.fixture
def environment(tmp_path: Path, server: Server) -> dict[str, str]:
    """A home of its own, and curl and audio-server of support/document_commands.py before the real ones."""
    curl = shutil.which("curl")
    assert curl is not None
    for command in ("curl", "audio-server"):
        shim = tmp_path / "bin" / command
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} {SHIMS} {command} "$@"\n')
        shim.chmod(0o755)
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data")}
    own = {
        "DOCUMENT_SERVER": server.url,
        "DOCUMENT_CURL": curl,
        "DOCUMENT_AUDIO_SERVER": str(COMMAND),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "SPEECHMLX_PROFILE": "starter",
        "SPEECHMLX_LOG_FORMAT": "text",
        "NO_PROXY": "127.0.0.1",
    }
    return {**os.environ, **home, **own}


def run(block: Block, folder: Path, environment: dict[str, str], url: str) -> str:
    """What a block prints; AssertionError where it fails."""
    if block.language in PYTHON:
        command = [sys.executable, "-W", "ignore", "-c", localised(block.code, url)]
    else:
        command = ["bash", "-e", "-o", "pipefail", "-c", block.code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{block} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def localised(code: str, url: str) -> str:
    return code.replace(URL, url).replace(URL.replace("http", "ws"), url.replace("http", "ws"))


@pytest.mark.timeout(300)  # many processes, on whatever machine this is
@pytest.mark.parametrize("file", RUN, ids=name)
def test_a_documents_commands_run(file: Path, folder: Path, environment: dict[str, str], server: Server) -> None:
    printed = [
        run(block, folder, environment, server.url)
        for block in blocks(file)
        if block.language in SHELL + PYTHON and not block.note
    ]
    if file.name == "first-steps.md":
        check_first_steps(folder, "".join(printed))


def check_first_steps(folder: Path, printed: str) -> None:
    """Each word that is spoken is a tone, and heard as a word: see scripted_conversation.py."""
    assert spoken(0.6) in printed and '"status":"ok"' in printed and "00:00:00,000 --> " in printed
    for recording in ("question", "streamed", "answer", "talk"):
        assert np.abs(soundfile.read(folder / f"{recording}.wav")[0]).max() > 0.5, recording
    assert (folder / "clean.wav").stat().st_size > 1000 and (folder / "hello.mp3").stat().st_size > 1000


def test_no_commands_hide_in_other_blocks() -> None:
    other = [block for block in all_blocks() if block.language not in SHELL + PYTHON]
    hidden = re.compile(r"^(\$ )?(audio-server|brew|curl|scripts/\w+|pip|npm|docker) \S", re.MULTILINE)
    assert [str(block) for block in other if hidden.search(block.code)] == []


def test_what_is_not_run_says_why() -> None:
    for block in all_blocks(*SHELL, *PYTHON):
        kind, _, rest = block.note.partition(" by ") if " by " in block.note else block.note.partition(": ")
        match kind:
            case "macOS only":
                assert {words[0] for words in block.commands} <= ON_MACOS, f"{block}: not macOS's alone"
            case "needs a network":
                assert [words for words in block.commands if not needs_network(words)] == [], f"{block}: could be run"
            case "tested":
                for test in rest.split(", "):
                    path, _, function = test.partition("::")
                    assert f"def {function}(" in (ROOT / path).read_text(), f"{block}: there is no {test}"
            case "run":
                steps = re.findall(r"run: (.*)", (ROOT / rest).read_text())
                assert [words for words in block.commands if " ".join(words) not in steps] == [], f"{block}: not there"
            case "not run":
                assert find_spec(rest) is None and re.search(rf"^(from|import) {rest}\b", block.code, re.MULTILINE), (
                    f"{block}: {rest} is installed, or not needed"
                )


def needs_network(words: list[str]) -> bool:
    if words[0] == "audio-server":
        return any(words[1 : 1 + len(verb)] == verb for verb in FETCHING)
    return words[0] in OVER_A_NETWORK


@cache
def help_of(*verbs: str) -> str:
    """What `audio-server VERBS --help` says, in this process. tests/cli/test_help.py has the command itself say it."""
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(shown):
        patch.setattr(sys, "argv", ["audio-server", *verbs, "--help"])
        patch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0, f"there is no `audio-server {' '.join(verbs)}`"
    return shown.getvalue()


@pytest.mark.timeout(300)
def test_verbs_and_flags_in_the_texts_are_there() -> None:
    """Those of `audio-server ...` in the running text, and in blocks that are not run. A verb in capitals is any."""
    for file in DOCUMENTS:
        prose = re.sub(r"^```.*?^```$", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
        spans = [span.split()[1:] for span in re.findall(r"`(audio-server [^`]*)`", prose)]
        marked = [words for block in blocks(file) if block.note and block.language in SHELL for words in block.commands]
        for words in [*spans, *(words[1:] for words in marked if words[0] == "audio-server")]:
            verbs = [] if words[0].isupper() else ["serve"] if serves(words) else words[:1]
            if "COMMAND" in help_of(*verbs) and words[1:2] and words[1].isalpha() and words[1].islower():
                verbs.append(words[1])
            said = help_of() + help_of(*verbs)
            assert [word for word in words if word.startswith("--") and word not in said] == [], (
                f"{name(file)}: {words}"
            )
