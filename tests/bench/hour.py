"""Benchmark of long sessions: an hour of speech on each live wire, sent as fast as the server takes it, and its memory.

Engines are scripted, so that all work is the server's own. Every word must be final once.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

import psutil
from report import Row, show

sys.path.insert(0, str(Path(__file__).parents[1]))

from protocols.conftest import Server, serve
from support import live_wires
from support.live_wires import WIRES, open_wire
from support.long_stream import LINES_KEPT, MINUTE, PIECE, words_kept
from support.scripted_conversation import LIVE_MODELS

WARM = 5
"""Minutes after which the session's memory is taken as its start."""


def memory(server: Server) -> int:
    """Bytes of the server and its engine process."""
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


async def stream(server: Server, wyoming: str, wire: str, minutes: int) -> dict[str, float]:
    """Seconds that the stream took, bytes of memory at its start and its end, and its words."""
    began, start, last = time.perf_counter(), 0, 0
    async with open_wire(wire, server.url, wyoming) as client:
        for minute in range(minutes):
            for place in range(0, len(MINUTE), PIECE):
                await client.send(MINUTE[place : place + PIECE])
            last = memory(server)
            if minute < WARM:
                start = max(start, last)
        words = len(await client.finish())
    if client.failures:
        raise SystemExit(f"{wire}: {client.failures}")
    kept = words_kept(wire, minutes)
    if wire not in LINES_KEPT and words != kept:
        raise SystemExit(f"{wire}: {words} words of {kept}")
    return {"seconds": time.perf_counter() - began, "start": start, "end": last, "words": words}


async def measure(minutes: int) -> dict[str, dict[str, float]]:
    live_wires.PATIENCE = 3600.0
    found = {}
    for wire in WIRES:
        with (
            tempfile.TemporaryDirectory() as folder,
            serve(Path(folder), "--wyoming", "127.0.0.1:0", SPEECHMLX_MODELS=LIVE_MODELS) as server,
        ):
            address = re.search(r"Wyoming on tcp://(\S+) ", server.log.read_text())
            assert address
            found[wire] = await stream(server, address[1], wire, minutes)
            print(f"{wire}: {found[wire]}", file=sys.stderr)
    return found


def rows(found: dict[str, dict[str, float]], minutes: int) -> list[Row]:
    table = []
    for wire, one in found.items():
        table += [
            Row(f"{wire}: memory after {WARM} minutes", one["start"] / 1e6, "MB"),
            Row(f"{wire}: memory after {minutes} minutes", one["end"] / 1e6, "MB"),
            Row(f"{wire}: a minute of audio", one["seconds"] / minutes, "s"),
        ]
    return table


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    minutes = 8 if parser.parse_args().quick else 60
    found = asyncio.run(measure(minutes))
    show(f"{minutes} minutes of speech on each live wire, scripted engines", rows(found, minutes))


if __name__ == "__main__":
    main()
