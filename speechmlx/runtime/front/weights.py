"""Fetches: the downloads and conversions of weights under way. Each runs in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from speechmlx.errors import ModelUnavailable, from_code
from speechmlx.models import store
from speechmlx.models.spec import Model
from speechmlx.types import Progress

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that a cancelled fetch process gets to end by itself."""


class Fetches:
    """At most one fetch per model; the jobs that wait for a model share it. A job that is cancelled does not stop it.

    `on_progress` is called with the model and how far its fetch is.
    """

    def __init__(self, cache: Path, on_progress: Callable[[Model, Progress], None]) -> None:
        self.running: dict[str, asyncio.Task[str]] = {}
        """By the name of the model."""
        self.progress: dict[str, Progress] = {}
        self._cache = cache
        self._on_progress = on_progress
        self._stopped: set[asyncio.Task[str]] = set()

    def start(self, model: Model) -> asyncio.Task[str]:
        """The task of the model's fetch, begun where none runs. It gives the folder; it raises ModelUnavailable."""
        if model.name in self.running:
            return self.running[model.name]

        def on_progress(progress: Progress) -> None:
            self.progress[model.name] = progress
            self._on_progress(model, progress)

        def done(task: asyncio.Task[str]) -> None:
            if self.running.get(model.name) is task:
                self._forget(model.name)
            if task.cancelled():
                log.info("fetching %s was stopped; what came so far is kept", model.name)
            elif task.exception() is not None:
                log.error("fetching %s failed: %s", model.name, task.exception())
            else:
                log.info("fetched %s, %.0f MB, in %.1f s", model.name, model.size / 1e6, time.monotonic() - began)

        log.info("fetching %s, %.0f MB", model.name, model.size / 1e6)
        began = time.monotonic()
        task = asyncio.create_task(fetch(model, self._cache, on_progress))
        self.running[model.name] = task
        task.add_done_callback(done)
        return task

    async def pull(self, model: Model) -> bool:
        """Fetch the weights of `model` where they are not complete on this machine. False: the fetch was stopped.

        Raises ModelUnavailable and NoRoom. A caller that is cancelled does not stop the fetch.
        """
        if model.name not in self.running and await asyncio.to_thread(store.folder, model, self._cache) is not None:
            return True
        task = self.start(model)
        await asyncio.wait({task})
        if task.cancelled():
            return False
        task.result()
        return True

    def stop(self, name: str) -> None:
        """Cancel the fetch of a model, where one runs. The next fetch goes on from what it has."""
        if (task := self.running.get(name)) is not None:
            self._forget(name)
            self._stopped.add(task)
            task.add_done_callback(self._stopped.discard)
            task.cancel()

    async def close(self) -> None:
        """Stop all fetches and wait for the ends of their processes."""
        for name in list(self.running):
            self.stop(name)
        await asyncio.gather(*self._stopped, return_exceptions=True)

    def _forget(self, name: str) -> None:
        del self.running[name]
        self.progress.pop(name, None)


async def fetch(model: Model, cache: Path, on_progress: Callable[[Progress], None]) -> str:
    """Download and convert the weights of `model` in a new process. Returns the folder that holds them.

    Raises ModelUnavailable with the reason and what the user can do, or NoRoom. Cancelling ends the process and keeps
    what it has downloaded.
    """
    # -P: not from the folder the server was started in.
    command = [sys.executable, "-P", "-m", "speechmlx.models.fetch", model.name, "--cache", str(cache)]
    pipe = asyncio.subprocess.PIPE  # the end of its input tells the process to stop
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    except OSError as error:
        raise ModelUnavailable(f"the process that fetches {model.name!r} does not start: {error}") from error
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            message = json.loads(line)
            if "folder" in message:
                return str(message["folder"])
            if "error" in message:
                raise from_code(message["error"], message["message"])
            on_progress(Progress(message["stage"], message["done"], message["total"], message.get("detail", "")))
        status = await process.wait()
        raise ModelUnavailable(f"fetching {model.name!r} ended with status {status}; the server's log has more")
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to stop, and kill it if that takes PATIENCE seconds."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            process.kill()
        await process.wait()
