"""A client of a conversation on /v1/realtime that comes back after its connection broke."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from support.resuming import Line
from support.scripted_conversation import tone

Json = dict[str, Any]
PIECE = 4800
"""Bytes of 0.1 s of audio."""


class Talk:
    """A conversation: every message of the server in order, and the next one of a type."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.heard: list[Json] = []
        self._place = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def say(self, type: str, **fields: Any) -> None:
        await self.line.send(json.dumps({"type": type, **fields}))

    async def update(self, **session: Any) -> None:
        await self.say("session.update", session={"type": "realtime", **session})
        await self.until("session.updated")

    async def write(self, id: str, text: str) -> None:
        """Put a text into the conversation."""
        content = [{"type": "input_text", "text": text}]
        item = {"id": id, "type": "message", "role": "user", "content": content}
        await self.say("conversation.item.create", item=item)
        await self.until("conversation.item.done")

    async def ask(self, id: str, text: str) -> str:
        """What is answered to a text, in words."""
        await self.write(id, text)
        await self.say("response.create", response={"output_modalities": ["text"]})
        done = (await self.until("response.done"))["response"]
        assert done["status"] == "completed", done
        return "".join(part["text"] for item in done["output"] for part in item["content"])

    async def speak(self, seconds: float, silence: float = 1.0) -> None:
        """Say so many seconds, and be silent."""
        audio = tone(seconds) + tone(silence, level=0.0)
        for place in range(0, len(audio), PIECE):
            piece = base64.b64encode(audio[place : place + PIECE]).decode()
            await self.say("input_audio_buffer.append", audio=piece)
            await asyncio.sleep(0.01)

    async def until(self, *types: str) -> Json:
        """The next message of one of these types, behind the last one that was found so."""
        async with asyncio.timeout(30):
            while True:
                while self._place < len(self.heard):
                    self._place += 1
                    if self.heard[self._place - 1]["type"] in types:
                        return self.heard[self._place - 1]
                self._news.clear()
                await self._news.wait()

    async def move(self, url: str) -> None:
        """Go on at another server once the connection has ended."""
        await asyncio.wait_for(self._reading, 10)
        self.line.move(url)
        await self.line.come_back()
        self._reading = asyncio.create_task(self._read())

    def times(self, type: str, *path: str) -> Counter[str]:
        """How often each value was told in messages of a type."""
        found = Counter[str]()
        for message in self.heard:
            if message["type"] == type:
                value: Any = message
                for name in path:
                    value = value[name]
                found[str(value)] += 1
        return found

    async def stop(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self.line.close()

    async def _read(self) -> None:
        with suppress(websockets.ConnectionClosed):
            while True:
                self.heard.append(json.loads(await self.line.recv()))
                self._news.set()


@asynccontextmanager
async def talk(url: str, **headers: str) -> AsyncIterator[Talk]:
    """A conversation at a server."""
    line = Line(url, "/v1/realtime", True, **headers)
    await line.open()
    one = Talk(line)
    try:
        await one.until("session.created")
        yield one
    finally:
        await one.stop()
