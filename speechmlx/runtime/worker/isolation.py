"""Python code of the engine process asks no network: weights come from the disk, and work by a pipe."""

from __future__ import annotations

import sys
from typing import Any

ASKS = frozenset(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendmsg", "socket.sendto"))
"""Events by which Python tells of what leaves the machine, or asks for a name."""


def isolate() -> None:
    """From now on code of this process that asks the network gets a PermissionError. It cannot be taken back."""
    sys.addaudithook(_refuse)


def _refuse(event: str, details: tuple[Any, ...]) -> None:
    is_path = event == "socket.connect" and isinstance(details[1], str | bytes)  # of this machine
    if event in ASKS and not is_path:
        raise PermissionError(f"the engine process asks no network ({event})")
