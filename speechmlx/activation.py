"""Listening sockets that the service manager opened: launchd's, and systemd's LISTEN_FDS."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from speechmlx.errors import BadRequest

FIRST = 3
"""File descriptor of systemd's first socket."""
LAUNCHD_NAMES = ("Listeners", "listeners")
"""Keys of a launchd agent's `Sockets`: that of `audio-server service install`, and Homebrew's."""


def sockets(environment: Mapping[str, str]) -> list[tuple[str, socket.socket]]:
    """(name, listening socket) for each that the service manager gave; empty without one. Raises BadRequest.

    systemd's names are those of `FileDescriptorName=`; launchd's have no name.
    """
    given = systemd(environment)
    if not given and sys.platform == "darwin":
        given = launchd(ctypes.CDLL(None), LAUNCHD_NAMES)
    return [(name, _checked(fd)) for name, fd in given]


def systemd(environment: Mapping[str, str]) -> list[tuple[str, int]]:
    """(name, file descriptor) of the sockets that systemd gave to this very process. Raises BadRequest."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environment.get("LISTEN_FDS", "")
    if not count.isdecimal():
        raise BadRequest(f"LISTEN_FDS = {count!r} is not a number")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * (int(count) - len(names))
    return [(names[i], FIRST + i) for i in range(int(count))]


def launchd(library: ctypes.CDLL, names: Sequence[str]) -> list[tuple[str, int]]:
    """("", file descriptor) of the sockets that launchd gave under the first of `names` that it knows.

    `library` has launch_activate_socket(3). Raises BadRequest for an error of it other than "none for you".
    """
    for name in names:
        descriptors = ctypes.POINTER(ctypes.c_int)()
        count = ctypes.c_size_t()
        status = library.launch_activate_socket(name.encode(), ctypes.byref(descriptors), ctypes.byref(count))
        if status in (errno.ESRCH, errno.ENOENT):  # not started by launchd; no such key
            continue
        if status:
            raise BadRequest(f"launchd does not give its socket {name}: {os.strerror(status)}")
        given = [descriptors[i] for i in range(count.value)]
        library.free.argtypes = [ctypes.c_void_p]
        library.free(descriptors)
        return [("", fd) for fd in given]
    return []


def _checked(fd: int) -> socket.socket:
    """The socket of a file descriptor; children do not inherit it. Raises BadRequest."""
    try:
        listener = socket.socket(fileno=fd)
    except OSError as error:
        raise BadRequest(
            f"the service manager gave file descriptor {fd}, which is no socket: {error.strerror}"
        ) from None
    listener.set_inheritable(False)
    if listener.family not in (socket.AF_INET, socket.AF_INET6) or listener.type != socket.SOCK_STREAM:
        listener.detach()
        raise BadRequest(f"the service manager's socket {fd} is not TCP; give it one like 127.0.0.1:8080")
    return listener
