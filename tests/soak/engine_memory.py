"""Memory of the engine process returns: requests of as many lengths, then idle, then no more than after the first ten.

`scripts/soak engine_memory [--requests 60]`. Each request is a chat or a recording, by turns, in an order that is
always the same. It prints the resident memory of the engine process in MB, and fails above LIMIT times the first.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys

import numpy as np

from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Audio, Generate, Message, Request, Transcribe

LIMIT = 1.2
FIRST = 10
IDLE = 65.0
"""Seconds: the engine process frees what MLX keeps after a minute without a message."""
MODELS = ("smollm2-135m-instruct", "whisper-tiny.en")


def request(number: int, length: float) -> Request:
    """A chat or a recording; `length` goes from 0 to 1, for up to 1,500 words or 60 s."""
    if number % 2:
        content = "word " * max(1, int(1500 * length))
        return Generate(messages=(Message("user", content),), max_tokens=8, model=MODELS[0])
    noise = np.random.default_rng(number).normal(0, 0.05, max(1600, int(16000 * 60 * length)))
    return Transcribe(audio=Audio(noise.astype(np.float32), 16000), model=MODELS[1])


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True).stdout) / 1000


async def soak(requests: int) -> tuple[float, float, float]:
    """Resident memory after the first ten, the most at the end of any request, and after idling, in MB."""
    lengths = [(number + 1) / requests for number in range(requests)]
    random.Random(7).shuffle(lengths)
    runtime = Runtime(Config(profile="starter"), CATALOG)
    await runtime.start()
    try:
        first = most = 0.0
        for number, length in enumerate(lengths):
            await runtime.submit(request(number, length)).collect()
            now = resident(runtime.status().pid)
            most = max(most, now)
            if number == FIRST - 1:
                first = most
        await asyncio.sleep(IDLE)
        assert runtime.metrics.engine_restarts == 0
        return first, most, resident(runtime.status().pid)
    finally:
        await runtime.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60)
    options = parser.parse_args()
    first, most, end = asyncio.run(soak(options.requests))
    sys.stdout.write(f"after {FIRST} requests {first:.0f} MB, at most {most:.0f} MB, idle after all {end:.0f} MB\n")
    return 0 if end <= LIMIT * first else 1


if __name__ == "__main__":
    sys.exit(main())
