"""What a start imports: the server until it answers, and the command. What comes back here makes each start slower."""

from __future__ import annotations

import ast
import http.client
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from speechmlx.cli.verb_list import VERBS

HEAVY = {
    "mlx",
    "numpy",
    "soundfile",
    "soxr",
    "av",
    "huggingface_hub",
    "requests",
    "httpx",
    "pydantic",
    "prometheus_client",
    "langcodes",
    "cryptography",
    "opentelemetry",
    "wyoming",
    "zeroconf",
    "websockets",
    "jinja2",
    "tokenizers",
}
"""What the front must not import to start: the first holds MLX, the others time."""
ROOT = Path(__file__).parents[2]
COMMAND_LINE = {"typer", "click", "rich", "speechmlx.cli.verbs", "speechmlx.cli.serve"}
"""What reads the command line, beside plain flags of the server."""
LATER = {"speechmlx.library", "speechmlx.conversation", "speechmlx.reading", "speechmlx.doctor"}
LATER |= {"speechmlx.protocols.wyoming", "speechmlx.service", "speechmlx.cluster", "speechmlx.testing"}


def imported(report: str) -> set[str]:
    """The modules in the report of -X importtime, and the packages that they are in."""
    names = re.findall(r"^import time:.*\| +([\w.]+)$", report, re.MULTILINE)
    return {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}


def answers(port: int) -> bool:
    """Whether /health answers with 200 within half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except ConnectionRefusedError:
            time.sleep(0.02)
        finally:
            connection.close()
    return False


def test_the_server_answers_before_it_imports_what_only_some_requests_need(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "speechmlx", "--port", "0", "--profile", "starter"]
    env = {"HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as server:
        assert server.stdout and server.stderr
        lines: list[str] = []
        reading = threading.Thread(target=lines.extend, args=(server.stderr,))
        reading.start()
        try:
            found = re.search(r"http://127.0.0.1:(\d+)", server.stdout.readline())
            assert found and answers(int(found[1]))
        finally:
            server.terminate()
            server.wait(30)
            reading.join()
    modules = imported("".join(lines))
    assert {"speechmlx.serve", "starlette", "hypercorn"} <= modules
    assert modules & (HEAVY | COMMAND_LINE | LATER) == set()


def modules_of(*arguments: str) -> set[str]:
    """What the command imports for these arguments."""
    command = [sys.executable, "-X", "importtime", "-m", "speechmlx", *arguments]
    return imported(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["version"], ["speak", "--help"]], ids=" ".join)
def test_the_command_imports_the_verb_alone(arguments: list[str]) -> None:
    modules = modules_of(*arguments)
    verbs = {name.removeprefix("speechmlx.cli.") for name in modules} & set(VERBS)
    assert "typer" in modules and verbs <= set(arguments)
    assert modules & ((HEAVY - {"pydantic"}) | LATER | {"starlette", "hypercorn"}) == set()


def test_the_library_brings_no_client_of_remote_models_and_no_web() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import speechmlx.library"]
    modules = imported(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr)
    later = {"httpx", "rich", "pygments", "typer", "starlette", "hypercorn", "mlx", "pydantic", "speechmlx.doctor"}
    assert "speechmlx.conversation.session" in modules and modules & later == set()


def test_no_handler_imports_modules_while_others_wait() -> None:
    """What a handler imports by itself is imported on the event loop, unless `after_import` has done it in a thread."""
    large = ("speechmlx.protocols.", "speechmlx.conversation", "speechmlx.reading")
    found = []
    for file in sorted((ROOT / "speechmlx/protocols").rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.AsyncFunctionDef):
                imports = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
                decorated = any("after_import" in ast.dump(node) for node in function.decorator_list)
                if any((node.module or "").startswith(large) for node in imports) and not decorated:
                    found.append(f"{file.relative_to(ROOT)}: {function.name}")
    assert found == []
