"""The engine process: `python -m speechmlx.runtime.worker.process FD LOG_SETTINGS DEVICE`.

It owns MLX and knows no protocol. Between two steps it reads the pipe without waiting. With nothing to do it waits on
the pipe. It ends when the server process closes the other end.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from speechmlx.log import LogSettings
from speechmlx.log import start as start_log
from speechmlx.optional_packages import use
from speechmlx.runtime.ipc.framing import Part, Unpacker, pack
from speechmlx.runtime.ipc.messages import DEVICE_FAILED, NO_GPU, Probe, Ready
from speechmlx.runtime.worker import blas, cpu_time, isolation, threads
from speechmlx.runtime.worker.device import NoGpu, clear_cache, device, working_set
from speechmlx.runtime.worker.worker import Worker

log = logging.getLogger(__name__)

PAUSE = 0.001
"""Seconds until the pipe is tried again."""


def run(pipe: socket.socket, choice: str = "auto") -> None:
    """Serve the pipe until the other end closes. `choice`: the setting `device`. Raises NoGpu."""

    def post(message: object) -> None:
        try:
            for part in pack(message):
                send(pipe, part)
        except OSError as error:
            if not isinstance(error, BrokenPipeError | ConnectionResetError):
                log.error("the server process cannot be written to: %s", error)
            sys.exit()  # not an error of the job whose step it is: nobody waits for it

    options, name = device(choice)
    worker = Worker(post, options)
    products = threads.watch_openblas()
    if options.device == "cpu":
        cpu_time.give_way()  # here: the threads of MLX and OpenBLAS are there
    post(Ready(name, working_set()))
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    unpacker = Unpacker()
    busy = False
    while True:
        if waiting.poll(0 if busy else 1000 * worker.patience()):
            data = pipe.recv(1 << 20)
            if not data:
                return
            messages = list(unpacker.feed(data))
            for message in messages:
                worker.handle(message)
            # A long message comes in pieces: nothing whole is no quiet.
            quiet = bool(messages) and all(isinstance(message, Probe) for message in messages)
        else:
            quiet = True
        if quiet and not busy and not worker.keeps_wired:  # no message for a while
            clear_cache()
        if products is not None:
            products.apply()
        busy = worker.step()


def send(pipe: socket.socket, part: Part) -> None:
    """Send all of `part`, also where the system has no buffer for it at once, as macOS says now and then."""
    rest = memoryview(part)
    while rest:
        try:
            rest = rest[pipe.send(rest) :]
        except OSError as error:
            if error.errno not in (errno.ENOBUFS, errno.ENOMEM):
                raise
            time.sleep(PAUSE)


def main() -> Any:
    # A signal to the whole process group (Ctrl-C, systemd, timeout) is for the front, which may still drain jobs here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    start_log(LogSettings.from_text(sys.argv[2]), engine=True)
    use(os.environ)
    blas.preload()
    with socket.socket(fileno=int(sys.argv[1])) as pipe, suppress(BrokenPipeError, ConnectionResetError):
        try:
            run(pipe, sys.argv[3])
        except NoGpu as error:
            log.error("%s", error)
            _end(NO_GPU)
        except SystemExit as end:
            if end.code == DEVICE_FAILED:
                _end(DEVICE_FAILED)
            raise


def _end(status: int) -> None:
    """End at once: MLX's own end may wait for the GPU, and the front reads the status when the pipe is closed."""
    logging.shutdown()
    os._exit(status)


if __name__ == "__main__":
    isolation.isolate()
    main()
