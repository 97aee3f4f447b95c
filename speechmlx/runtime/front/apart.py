"""Work that may wait for a disk or a hub that is slow: it holds up neither the event loop nor the end of the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


async def apart(work: Callable[[], object], name: str) -> None:
    """Do `work` in a daemon thread called `name`. Raises what it raises."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish(error: Exception | None) -> None:
        if not done.done():
            done.set_result(error)

    def run() -> None:
        error = None
        try:
            work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    if (error := await done) is not None:
        raise error
