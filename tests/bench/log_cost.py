"""What the log costs a request: microseconds of the processor, on one thread, with and without it.

Run it with `.venv/bin/python tests/bench/log_cost.py`. The app answers at once, so the difference is what the id, the
record, the route's name and the line take, written to a file in a temporary folder.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Scope

from speechmlx.log import LogSettings, naming, start
from speechmlx.protocols.http.request_id import NamedRoute, RequestId
from speechmlx.protocols.http.traffic import Traffic, TrafficLog

REQUESTS = 20_000
SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/v1/audio/transcriptions",
    "client": ("127.0.0.1", 50000),
    "query_string": b"",
}


async def receive() -> Message:
    """The end of the body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Sends nothing."""


async def measured(app: ASGIApp) -> float:
    """Microseconds of the processor for a request."""
    for count in (REQUESTS // 10, REQUESTS):
        began = time.process_time()
        for _ in range(count):
            await app({**SCOPE, "headers": [(b"host", b"localhost")]}, receive, send)
    return (time.process_time() - began) / REQUESTS * 1e6


def main() -> None:
    """Print the figures."""
    answer = PlainTextResponse("hello")
    logged = RequestId(TrafficLog(NamedRoute(answer, "openai_audio", "/v1/audio/transcriptions"), Traffic()))
    bare = asyncio.run(measured(answer))
    print(f"without a log: {bare:.1f} us a request")
    with tempfile.TemporaryDirectory() as folder:
        for format in ("text", "json"):
            logging.getLogger().handlers.clear()
            start(LogSettings("info", format, str(Path(folder) / f"{format}.log")))
            print(f"{format} in a file: {asyncio.run(measured(logged)) - bare:.1f} us more")
        logging.getLogger("speechmlx").setLevel(logging.ERROR)
        print(f"nothing logged, level error: {asyncio.run(measured(logged)) - bare:.1f} us more")
    ids = [f"req_{n}" for n in range(8)]
    print(f"a step of the engine for 8 requests: {_each(lambda: naming(ids)):.2f} us")


def _each(block: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(REQUESTS):
        with block():  # type: ignore[attr-defined]
            pass
    return (time.process_time() - began) / REQUESTS * 1e6


if __name__ == "__main__":
    main()
