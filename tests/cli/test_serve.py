"""The server in a terminal: what it says at the start and at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from support.pty import CODES, start

TESTS = Path(__file__).parents[1]


def test_the_banner_and_ctrl_c(tmp_path: Path) -> None:
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    own = {
        "HOME": str(tmp_path),
        "PYTHONPATH": path,
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(tmp_path / "cache"),
        "SPEECHMLX_JOB_FOLDER": str(tmp_path / "jobs"),
        "SPEECHMLX_PROFILE": "starter",
    }
    child = start("--port", "0", env=own)
    child.expect("Ready\r\n")
    lines = CODES.sub("", child.before or "").replace("\r\n", "\n").splitlines()
    told = [line.split(":")[0].split(" on ")[0] for line in lines if line[:1].isupper()]
    assert told == ["Starting server", "Models", "Docs", "Log"]
    assert "http://127.0.0.1:" in lines[0] and "open it in a browser" in lines[0]
    assert "whisper-base (150 MB)" in lines[1] and lines[1].endswith("fetched when first used")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and "stopping" in (child.before or "")


def ended(tmp_path: Path, *arguments: str, **own: str) -> tuple[int, str, str]:
    """Status, output and errors of a server that ends by itself."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": path, **own}
    command = [str(Path(sys.executable).with_name("audio-server")), "serve", "--profile", "starter", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_while_it_starts_has_not_failed(number: signal.Signals, tmp_path: Path) -> None:
    """launchd starts one again that ends with another status than 0."""
    own = {"SPEECHMLX_CATALOG": "support.stopping:extend", "STOP_WITH": str(int(number))}
    assert ended(tmp_path, "--port", "0", **own) == (0, "", "")


def test_a_refused_start_prints_one_line(tmp_path: Path) -> None:
    """Service managers try again with some of them: what they keep of it grows slowly."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("port = ")
    lexicon = {"SPEECHMLX_LEXICON": str(tmp_path / "none")}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = [
            (("--port", port), {}, os.EX_TEMPFAIL, f"cannot listen on 127.0.0.1:{port}"),
            (("--config", str(wrong)), {}, 2, "wrong.toml is not TOML"),
            (("--asr", "nothing", "--port", "0"), {}, 2, "there is no model 'nothing'"),
            (("--port", "0"), lexicon, 2, "the lexicon"),
        ]
        for arguments, own, wanted, reason in refused:
            status, output, errors = ended(tmp_path, *arguments, **own)
            assert (status, output) == (wanted, "") and reason in errors
            assert errors.count("\n") == 1 and len(errors) < 300


AGENT = "import os; os.getppid = lambda: 1; from speechmlx.cli import main; main()"
"""The command as a child of launchd, whose id is 1."""


@pytest.mark.parametrize(
    ("arguments", "wanted", "reason"),
    [
        (("--port", "{held}"), os.EX_TEMPFAIL, "cannot listen on 127.0.0.1:"),
        (("--config", "wrong.toml"), 0, "wrong.toml is not TOML"),
        (("--asr", "nothing"), 0, "there is no model 'nothing'"),
        (("--port", "99999"), 0, "port must be between 0 and 65535"),
        (("--config", "none.toml"), 2, "none.toml cannot be read: No such file"),
        (("--host", "nowhere.invalid", "--port", "0"), 2, "cannot listen on nowhere.invalid:0"),
    ],
)
def test_launchd_starts_again_what_may_come_up_then(
    arguments: tuple[str, ...], wanted: int, reason: str, tmp_path: Path
) -> None:
    """It does not where the status is 0: what is written wrong stays wrong. A disk or a network may come."""
    (tmp_path / "wrong.toml").write_text("port = ")
    environment = {**os.environ, "HOME": str(tmp_path), "XPC_SERVICE_NAME": "io.speechmlx.server"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        given = [word.format(held=other.getsockname()[1]) for word in arguments]
        command = [sys.executable, "-c", AGENT, "serve", "--profile", "starter", *given]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (wanted, "") and reason in done.stderr and done.stderr.count("\n") == 1


def test_other_commands_of_an_agent_fail_as_ever(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XPC_SERVICE_NAME": "mine"}
    command = [sys.executable, "-c", AGENT, "models", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 2 and "there is no model 'nothing'" in done.stderr


@pytest.mark.parametrize(
    ("shell", "says"),
    [
        ('exec "$0" --port 0 --host 192.0.2.1', "cannot listen on 192.0.2.1:0: "),
        ('exec "$0" --port 0 --wyoming 192.0.2.1:10300', "cannot listen on 192.0.2.1:10300: "),
        ('ulimit -f 0; exec "$0" --port 0', "the server cannot start now: [Errno 2] No usable temporary directory"),
    ],
)
def test_what_may_pass_has_a_status_of_its_own(shell: str, says: str, tmp_path: Path) -> None:
    """An address that is not there yet, and disks without room: a service manager starts the server again."""
    environment = {**os.environ, "HOME": str(tmp_path), "SPEECHMLX_PROFILE": "starter"}
    command = ["sh", "-c", shell, str(Path(sys.executable).with_name("audio-server"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path)
    assert done.returncode == os.EX_TEMPFAIL, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"audio-server: {says}") and "Traceback" not in done.stderr


HAS_GPU = "import mlx.core as mx; print(mx.default_device().type == mx.gpu)"
"""For a process of its own: this one forks, which the threads of MLX's BLAS do not like."""


def test_a_gpu_that_is_not_there_ends_the_server_once(tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-c", HAS_GPU], capture_output=True, text=True).stdout.strip() == "True":
        pytest.skip("MLX has a GPU here")
    status, output, errors = ended(tmp_path, "--port", "0", "--device", "gpu", SPEECHMLX_LOG_FORMAT="text")
    assert status == 2, errors
    assert errors.endswith(
        "audio-server: device = gpu, and this machine has no GPU that MLX can compute on; the log says more. "
        "Take --device auto or cpu\n"
    )
    assert errors.count("MLX cannot compute on a GPU on this machine: it finds none") == 1
    assert "Ready" not in output and "Traceback" not in errors
