"""WAV responses."""

from __future__ import annotations

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.types import Message

from speechmlx.protocols.http.request_body import BLOCK
from speechmlx.protocols.http.wav import Recording, WavResponse


async def test_a_short_answer_waits_for_no_thread() -> None:
    busy, sent = threading.Event(), []
    with ThreadPoolExecutor(1) as only:
        asyncio.get_running_loop().set_default_executor(only)
        waiting = asyncio.create_task(asyncio.to_thread(busy.wait, 60))
        sound = Recording(io.BytesIO(bytes(2 * BLOCK)), 2 * BLOCK, 24000)

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))

        try:
            async with asyncio.timeout(30):
                await WavResponse(sound)({}, Request, send)  # type: ignore[arg-type]
        finally:
            busy.set()
            await waiting
    assert len(b"".join(sent)) == 44 + 2 * BLOCK
