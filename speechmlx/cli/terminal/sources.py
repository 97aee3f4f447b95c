"""Live audio for a session: the microphone, or a file in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from pathlib import Path

from speechmlx.audio.pcm import to_pcm16
from speechmlx.cli.terminal.running import hint, on_interrupt
from speechmlx.cli.terminal.sound_devices import Microphone
from speechmlx.library.sources import stream_source

STEP_SECONDS = 0.1


def microphone_blocks(stack: ExitStack, rate: int, invitation: str) -> AsyncIterator[bytes]:
    """What the microphone hears, as mono PCM16 at `rate` Hz, until Ctrl-C; `stack` closes it. Raises Unavailable."""
    microphone = Microphone(rate)
    stack.enter_context(on_interrupt(microphone.close))
    stack.enter_context(microphone.open())
    hint(f"{invitation} Ctrl-C ends.")
    return aiter(microphone)


async def file_blocks(path: Path, rate: int, *, paced: bool) -> AsyncIterator[bytes]:
    """The recording as mono PCM16 at `rate` Hz, in pieces of STEP_SECONDS; `paced`: as fast as it was spoken.

    Raises BadAudio, TooLarge and BadRequest.
    """
    step, loop = round(rate * STEP_SECONDS), asyncio.get_running_loop()
    began, fed = loop.time(), 0.0
    async with aclosing(stream_source(path, rate)) as blocks:
        async for block in blocks:
            for start in range(0, len(block), step):
                piece = block[start : start + step]
                yield to_pcm16(piece)
                fed += len(piece) / rate
                if paced:
                    await asyncio.sleep(max(0.0, began + fed - loop.time()))
