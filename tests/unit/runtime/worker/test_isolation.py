"""An isolated process asks no network, by whatever library."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

ASK = """
import socket, sys, urllib.request
from speechmlx.runtime.worker.isolation import isolate
isolate()
try:
    {ask}
except OSError as error:
    print(f"{{type(error).__name__}} {{error}} {{getattr(error, 'reason', '')}}")
else:
    print("asked")
"""


def said(ask: str) -> str:
    script = ASK.format(ask=ask)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "ask",
    [
        "urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=5)",
        "socket.create_connection(('127.0.0.1', {port}), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', {port}))",
        "socket.gethostbyname('localhost')",
    ],
)
def test_what_asks_the_network_is_refused(ask: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        assert "asks no network" in said(ask.format(port=listener.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_pipes_of_this_machine_go_on() -> None:
    assert said("[end.sendall(b'x') for end in socket.socketpair()]") == "asked\n"


PROCESS = """
import runpy, socket, sys
from speechmlx.log import LogSettings
front, engine = socket.socketpair()
front.close()  # so it ends at once
sys.argv = ["engine", str(engine.detach()), LogSettings().to_text(), "cpu"]
try:
    runpy.run_module("speechmlx.runtime.worker.process", run_name="__main__")
except SystemExit:
    pass
try:
    socket.create_connection(("127.0.0.1", 9), 5)
except PermissionError as error:
    print(error)
"""


def test_the_engine_process_is_isolated() -> None:
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, timeout=60)
    assert "asks no network" in done.stdout, done.stderr
