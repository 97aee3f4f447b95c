"""LoopThread: an event loop on a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, TypeVar

from speechmlx.errors import Draining

T = TypeVar("T")
Last = Callable[[], Coroutine[Any, Any, None]]

LAST_SECONDS = 5.0
"""Seconds that a program which did not call `stop` waits at its end."""


class LoopThread:
    """Runs coroutines for any thread, side by side.

    `last` runs before the loop ends: at `stop`, when nobody has the LoopThread any more, or at the end of the program.
    """

    def __init__(self, last: Last) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="speechmlx", daemon=True)
        self._thread.start()
        self._end = partial(_stop, self._loop, self._thread, last)
        self._finalizer = weakref.finalize(self, self._end, LAST_SECONDS)
        self._finalizer.atexit = False  # at the exit it would come after those of the folders that `last` deletes
        atexit.register(self._finalizer)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end. An exception here, such as KeyboardInterrupt, cancels it. Raises Draining after `stop`."""
        if not self._finalizer.alive:
            work.close()
            raise Draining("this Speech is closed; make a new one")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise Draining("this Speech was closed while it worked") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop, and wait for it. May be called again."""
        atexit.unregister(self._finalizer)
        if self._finalizer.detach() is not None:
            self._end(None)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:  # calls that other threads wait for
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, last: Last, seconds: float | None) -> None:
    """End the loop. Wait for that, at most so many `seconds`, unless this is its own thread."""

    async def end() -> None:
        try:
            await last()
        finally:
            loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)
    if threading.current_thread() is not thread:
        thread.join(seconds)
