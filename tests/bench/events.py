"""What front and pipe add to one event: from an engine's `yield` to the reader of the job, and to a client's socket.

A scripted engine (support/scripted.py), in the real engine process, puts the clock's reading into each chunk it says.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from report import Row

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {"SPEECHMLX_CATALOG": "support.scripted:extend", "PYTHONPATH": str(TESTS)}
SCRIPTS = {1: "steps=1000 work=0.002 stamp=1", 64: "steps=60 work=0.0005 stamp=1"}
"""Jobs at once, and what each does: the pace of a fast engine, so that readers are never behind."""
SKIP = 5
"""Events at the start of a job that are not counted."""
STAMP = 8
WAV_HEADER = 44


def delay(stamp: bytes) -> float:
    return time.monotonic() - float(np.frombuffer(stamp, np.float64)[0])


async def to_job(jobs: int, script: str) -> list[float]:
    """Seconds from the engine to the reader of a `Job`, in a front of our own."""
    from speechmlx.config import Config
    from speechmlx.models.catalog import load
    from speechmlx.runtime.front.runtime import Runtime
    from speechmlx.types import Chunk, Speak

    runtime = Runtime(Config(), load())
    await runtime.start()

    async def read() -> list[float]:
        seconds = []
        async with runtime.submit(Speak(text=script, model="scripted")) as job:
            async for event in job:
                if isinstance(event, Chunk):
                    seconds.append(delay(event.pcm16))
        return seconds[SKIP:]

    try:
        await runtime.submit(Speak(text="steps=1", model="scripted")).finished()
        found = await asyncio.gather(*(read() for _ in range(jobs)))
    finally:
        await runtime.close()
    return [second for one in found for second in one]


async def to_client(port: int, jobs: int, script: str) -> list[float]:
    """Seconds from the engine to the socket of a client of `POST /speak?stream=true`."""
    body = json.dumps({"text": script, "model": "scripted"}).encode()
    head = (
        f"POST /speak?stream=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )

    async def read() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + b"\r\n\r\n" + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer.split(b"\r\n")[0] or b"chunked" not in answer:
            raise RuntimeError(f"/speak answered {answer!r}")
        seconds: list[float] = []
        pending = b""
        wanted = WAV_HEADER
        while size := int(await reader.readline(), 16):
            pending += (await reader.readexactly(size + 2))[:-2]
            while len(pending) >= wanted:
                if wanted == STAMP:
                    seconds.append(delay(pending[:STAMP]))
                pending, wanted = pending[wanted:], STAMP
        writer.close()
        return seconds[SKIP:]

    found = await asyncio.gather(*(read() for _ in range(jobs)))
    return [second for one in found for second in one]


def rows() -> list[Row]:
    from server import OURS, running

    result = []
    sys.path.insert(0, str(TESTS))
    with TemporaryDirectory() as cache, patch.dict(os.environ, ENVIRONMENT, SPEECHMLX_CACHE=cache):
        for jobs, script in SCRIPTS.items():
            result += _rows("reader of the job", jobs, asyncio.run(to_job(jobs, script)))
        with running(OURS) as (server, _):
            asyncio.run(to_client(server.port, 1, "steps=10 stamp=1"))
            for jobs, script in SCRIPTS.items():
                result += _rows("client's socket", jobs, asyncio.run(to_client(server.port, jobs, script)))
    return result


def _rows(where: str, jobs: int, seconds: list[float]) -> list[Row]:
    what = f"one event, engine to {where}, {jobs} job{'s' * (jobs > 1)}"
    return [Row(f"{what}, p{share}", float(np.percentile(seconds, share)) * 1e3, "ms") for share in (50, 99)]
