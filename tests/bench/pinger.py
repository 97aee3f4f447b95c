"""Asks a server for its health all the time over one connection, in a process of its own, until its input ends.

`python pinger.py PORT PATH PID` prints for each answer the seconds that it took, and how many of them this process, and
the first thread of process PID, waited for a CPU, as Linux counts it; 0 on other systems.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import sys
import time
from pathlib import Path

PAUSE = 0.005
"""Seconds between an answer and the next request."""


def waited(process: int) -> float:
    """Seconds that the first thread of a process has waited for a CPU."""
    try:
        return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def main() -> None:
    port, path, process = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print("begun", flush=True)
    own = os.getpid()
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        mine, theirs, start = waited(own), waited(process), time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        took = time.perf_counter() - start
        mine = min(took, waited(own) - mine)
        print(took, mine, min(took - mine, waited(process) - theirs))


if __name__ == "__main__":
    main()
