"""A server without file descriptors, and one that is spoken to in HTTP/2."""

from __future__ import annotations

import resource
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest


def connected(server: Any) -> socket.socket:
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname or "", place.port or 0), 10)


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and sets the limits of another process")


@linux
def test_a_server_raises_its_limit_of_open_files(start_server: Any) -> None:
    """A service of macOS begins with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        with start_server() as server:
            raised = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised == (8192 if hard == resource.RLIM_INFINITY else min(hard, 8192), hard)


@linux
def test_running_out_of_descriptors_is_one_line_and_passes(start_server: Any) -> None:
    """It wrote 38 MB of tracebacks in half a minute."""
    with start_server("--asr", "scripted-asr") as server:
        used = psutil.Process(server.process.pid).num_fds()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        clients = [connected(server) for _ in range(60)]
        time.sleep(2.5)
        log = server.log.read_text()
        assert log.count("files and connections are open, which is the limit") == 1
        assert "Traceback" not in log and len(log) < 10_000
        for client in clients:
            client.close()
        began = time.monotonic()
        assert server.health()["status"] == "ok" and time.monotonic() - began < 4  # not the 5 s of keep-alive


def test_http_2_without_tls_is_not_spoken(server: Any) -> None:
    said_before = len(server.log.read_text())
    for request in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    ):
        with connected(server) as one:
            one.sendall(request)
            answer = one.recv(65536)
            assert answer.startswith(b"HTTP/1.1 ") and b" 101 " not in answer.partition(b"\r\n")[0], answer
            if request.startswith(b"GET"):
                assert answer.startswith(b"HTTP/1.1 200 ")
    assert server.health()["status"] == "ok" and "Traceback" not in server.log.read_text()[said_before:]
