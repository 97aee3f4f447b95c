"""Sockets of the service manager: systemd's protocol with real processes, launchd's function from a real library."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechmlx import activation
from speechmlx.errors import BadRequest

LAUNCHD = """
#include <errno.h>
#include <stdlib.h>
#include <string.h>
int launch_activate_socket(const char *name, int **fds, size_t *count) {
    if (!strcmp(name, "broken")) return EALREADY;
    if (strcmp(name, "Listeners")) return ENOENT;
    *fds = malloc(2 * sizeof(int)); (*fds)[0] = 41; (*fds)[1] = 42; *count = 2;
    return 0;
}
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(scope="module")
def launchd(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A library with launchd's function."""
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("launchd")
    (folder / "launchd.c").write_text(LAUNCHD)
    command = [compiler, "-shared", "-fPIC", "-o", str(folder / "launchd.so"), str(folder / "launchd.c")]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(folder / "launchd.so"))


def test_systemd_gives_sockets_to_one_process_alone() -> None:
    mine = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "3", "LISTEN_FDNAMES": "web:whisperlive"}
    assert activation.systemd(mine) == [("web", 3), ("whisperlive", 4), ("", 5)]
    assert activation.systemd({**mine, "LISTEN_PID": "1"}) == []
    assert activation.systemd({}) == []
    with pytest.raises(BadRequest, match="LISTEN_FDS = 'two'"):
        activation.systemd({**mine, "LISTEN_FDS": "two"})


def test_the_first_name_that_launchd_knows_counts(launchd: ctypes.CDLL) -> None:
    assert activation.launchd(launchd, ("listeners", "Listeners", "broken")) == [("", 41), ("", 42)]
    assert activation.launchd(launchd, ("other",)) == []
    with pytest.raises(BadRequest, match="does not give its socket broken"):
        activation.launchd(launchd, ("broken",))


def test_only_tcp_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: socket.socket) -> None:
    def given(fd: int) -> list[tuple[str, socket.socket]]:
        monkeypatch.setattr(activation, "FIRST", fd)
        return activation.sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})

    ((name, taken),) = given(os.dup(listener.fileno()))
    with taken:
        assert (name, taken.getsockname(), taken.get_inheritable()) == ("", listener.getsockname(), False)
    with socket.socket(socket.AF_UNIX) as local, pytest.raises(BadRequest, match=r"is not TCP; give it one like"):
        given(local.fileno())
    with (tmp_path / "file").open("wb") as file, pytest.raises(BadRequest, match="which is no socket"):
        given(file.fileno())


def test_the_server_takes_the_socket_of_systemd(tmp_path: Path, listener: socket.socket) -> None:
    """LISTEN_PID is the process's own: so a shell puts the socket in its place, then becomes the server."""
    port = listener.getsockname()[1]
    become = f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    command = ["bash", "-c", become, "bash", str(Path(sys.executable).with_name("audio-server")), "--port", "1"]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    server = subprocess.Popen(
        command, env=environment, pass_fds=[listener.fileno()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    listener.close()
    assert server.stdout is not None
    try:
        assert f"http://127.0.0.1:{port} " in server.stdout.readline().decode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        server.terminate()
        assert server.wait(timeout=20) == 0
        server.stdout.close()
