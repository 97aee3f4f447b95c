"""How far one side of Ray may be ahead of the other.

Ray Serve carries the messages of a request between its proxy and a replica in queues without a bound. Here each side
counts the bytes that it has sent and waits while the other side has not taken them; what was taken is told in messages
of ASGI of a type of our own, which Ray carries like the others.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message

TAKEN = "speechmlx.taken"
"""Type of the message that tells how many bytes the other side has taken: {"type": TAKEN, "size": bytes}."""
WINDOW = 512 * 1024
"""Bytes that may be under way in one direction of one request, and one message."""
REPORT = WINDOW // 4
"""Bytes taken after which the other side is told."""
OVERHEAD = 256
"""Bytes that a message costs besides its content."""


class SendWindow:
    """What one side has sent and the other has not taken."""

    def __init__(self) -> None:
        self._under_way = 0
        self._ended = False
        self._changed = asyncio.Event()

    def add(self, message: Message) -> None:
        """A message was sent."""
        self._under_way += cost(message)

    def taken(self, size: int) -> None:
        """The other side has taken `size` bytes."""
        self._under_way -= size
        self._changed.set()

    def end(self) -> None:
        """Nobody waits any more: the other side has gone."""
        self._ended = True
        self._changed.set()

    async def room(self) -> None:
        """Wait until less than WINDOW is under way."""
        while self._under_way >= WINDOW and not self._ended:
            self._changed.clear()
            await self._changed.wait()


class TakenCount:
    """What one side has taken and not told yet."""

    def __init__(self) -> None:
        self._size = 0

    def take(self, message: Message) -> Message | None:
        """Count a message that was taken. Returns what to tell the other side, once REPORT is reached."""
        self._size += cost(message)
        if self._size < REPORT:
            return None
        size, self._size = self._size, 0
        return {"type": TAKEN, "size": size}


def cost(message: Message) -> int:
    """Bytes that a message counts."""
    content = message.get("body") or message.get("bytes") or message.get("text") or ""
    return OVERHEAD + len(content)
