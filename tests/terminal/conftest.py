"""The command in a terminal of its own, with scripted engines: in its own process, or on a server."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from protocols.conftest import Server, serve
from support import fetched
from support.scripted_conversation import LIVE_MODELS, RATE, tone

from speechmlx.audio.pcm import from_pcm16
from speechmlx.library.results import Sound

COMMAND = Path(sys.executable).with_name("audio-server")
TESTS = Path(__file__).parents[1]
LIMIT = 100
"""Seconds that a command may take on a busy machine."""
BAR = "━"


@dataclass(frozen=True)
class Shown:
    """What a command wrote to a terminal, without control codes, bars and what was written over; its exit code."""

    text: str
    code: int


def on_screen(written: str) -> str:
    """The lines that a terminal shows at the end, without progress bars."""
    lines, column = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|[^\x1b]", written):
        if part == "\n":
            lines.append("")  # after a return
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b["):
            if part.endswith("C"):
                column += int(part[2:-1])
            elif part.endswith("K"):
                lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column] + part + lines[-1][column + 1 :]
            column += 1
    return "\n".join(line for line in lines if BAR not in line)


def hears_ctrl_c() -> None:
    """A shell in the background, as in CI, makes its programs ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


Terminal = Callable[..., "pexpect.spawn[str]"]
Run = Callable[..., Shown]


@pytest.fixture(scope="session")
def terminal_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a command whose default models are scripted, with no server at the configured port."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPEECHMLX_")}
    return inherited | {
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(fetched.fill(tmp_path_factory.mktemp("terminal") / "cache")),
        "SPEECHMLX_MODELS": f"{LIVE_MODELS},diarize=scripted-diarizer",
        "SPEECHMLX_PROFILE": "starter",
        "SPEECHMLX_AUDIO_TIMEOUT": "0",
        "SPEECHMLX_PORT": "0",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        "TERM": "xterm",
    }


@pytest.fixture
def terminal(terminal_environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    """terminal("verb", ..., NAME="value") → the command under way in a pseudo-terminal, in the test's folder."""
    begun: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, **variables: str) -> pexpect.spawn[str]:
        child: pexpect.spawn[str] = pexpect.spawn(
            str(COMMAND),
            list(arguments),
            env={**terminal_environment, **variables},
            cwd=str(tmp_path),
            encoding="utf-8",
            codec_errors="replace",
            timeout=LIMIT,
            dimensions=(24, 100),
            preexec_fn=hears_ctrl_c,
        )
        begun.append(child)
        return child

    yield spawn
    for child in begun:
        child.close(force=True)


@pytest.fixture
def run(terminal: Terminal) -> Run:
    """run("verb", ..., NAME="value") → what the command shows until its end."""

    def to_the_end(*arguments: str, **variables: str) -> Shown:
        child = terminal(*arguments, **variables)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus is not None, f"signal {child.signalstatus}"
        return Shown(on_screen(child.before or ""), child.exitstatus)

    return to_the_end


@pytest.fixture(scope="session")
def spoken_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shared server with the same engines."""
    models = f"{LIVE_MODELS},diarize=scripted-diarizer"
    with serve(tmp_path_factory.mktemp("spoken"), SPEECHMLX_MODELS=models) as server:
        yield server


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """record(name, 0.5, -1.0) → a file with half a second of speech, five words of it, and a second of silence."""

    def write(name: str, *pattern: float) -> Path:
        pcm16 = b"".join(tone(abs(seconds), 0.8 if seconds > 0 else 0.0, RATE) for seconds in pattern)
        return Sound(from_pcm16(pcm16), RATE).save(tmp_path / name)

    return write
