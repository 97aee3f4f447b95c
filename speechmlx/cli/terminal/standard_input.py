"""Standard input while a program runs an event loop: its lines or paragraphs, as they come.

The reading thread is a daemon that calls the system itself, so that a program can end while nothing is typed.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
import threading
from collections.abc import AsyncIterator

READ = 1 << 16
LONGEST = 100_000
"""Characters of a paragraph; more is divided."""


async def texts() -> AsyncIterator[str]:
    """The texts of standard input: each line that a person types at a terminal, else each paragraph."""
    at_terminal = sys.stdin.isatty()
    kept = ""
    async for text in _decoded():
        kept += text
        end = "\n" if at_terminal else "\n\n"
        *whole, kept = kept.replace("\r\n", "\n").split(end)
        while len(kept) > LONGEST:
            whole, kept = [*whole, kept[:LONGEST]], kept[LONGEST:]
        for part in whole:
            if part.strip():
                yield part.strip()
    if kept.strip():
        yield kept.strip()


async def _decoded() -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for data in _data():
        yield decoder.decode(data)
    if rest := decoder.decode(b"", final=True):
        yield rest


async def _data() -> AsyncIterator[bytes]:
    """The bytes of standard input. At most one piece waits."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue(1)

    def read() -> None:
        data = b"first"
        while data:
            try:
                data = os.read(0, READ)
                asyncio.run_coroutine_threadsafe(pieces.put(data), loop).result()
            except (OSError, RuntimeError):  # it is closed, or the loop is
                return

    threading.Thread(target=read, daemon=True).start()
    while data := await pieces.get():
        yield data
