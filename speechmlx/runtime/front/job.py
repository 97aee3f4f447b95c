"""Job: the front's end of one request. Below this file everything is synchronous."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from speechmlx.errors import SpeechError
from speechmlx.runtime.ipc.messages import INPUT_WINDOW, OUTPUT_WINDOW, Cancel, Start, Taken, Tell, ToEngine
from speechmlx.types import Command, End, Event, Load, Progress, Request

if TYPE_CHECKING:
    from speechmlx.models.spec import Model


class Job:
    """`async with job:` around the response, `async for event in job:` inside it; leaving the block cancels the rest.

    Iteration ends when the job is done and raises the SpeechError it failed with. `Progress` is told to `Load` only.
    """

    def __init__(
        self, id: int, request: Request, model: Model, send: Callable[[ToEngine], None], over: Callable[[Job], None]
    ) -> None:
        self.id = id
        self.request = request
        self.model = model
        self.started = False
        self.ended = False
        self.submitted = time.monotonic()
        self.first_event: float | None = None
        """Seconds from then to the first event."""
        self._send = send
        self._over = over
        self._events: deque[Event] = deque()
        self._commands: deque[Command] = deque()
        self._unused = 0
        self._taken = 0
        self._error: SpeechError | None = None
        self._cancelled = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # --- for the wire ---

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self.ended or self._cancelled:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        self._taken += not isinstance(event, Progress)
        if self._taken >= OUTPUT_WINDOW // 2 and not self.ended:
            self._send(Taken(self.id, self._taken))
            self._taken = 0
        return event

    async def send(self, command: Command) -> None:
        """Give the engine a command; waits while it is behind. Does nothing once the job is over."""
        await self._room.wait()
        if self.ended or self._cancelled:
            return
        self._unused += 1
        if self._unused >= INPUT_WINDOW:
            self._room.clear()
        if self.started:
            self._send(Tell(self.id, command))
        else:
            self._commands.append(command)

    async def end(self) -> None:
        """No more input."""
        await self.send(End())

    def cancel(self) -> None:
        """Stop as soon as the step in hand is done; free what the job holds. Iteration ends. Idempotent."""
        if self.ended or self._cancelled:
            return
        self._cancelled = True
        self._wake()
        if self.started:
            self._send(Cancel(self.id))
        else:
            self.finish(None)

    # --- for the runtime ---

    def start(self, folder: str) -> None:
        """The model is here and the engine process is up: hand over."""
        if self.ended:
            return
        self.started = True
        self._send(Start(self.id, self.request, self.model, folder))
        for command in self._commands:
            self._send(Tell(self.id, command))
        self._commands.clear()

    @property
    def outcome(self) -> str:
        """Of a job that ended: "ok", "cancelled" or the code of its error."""
        if self._cancelled:
            return "cancelled"
        return "ok" if self._error is None else self._error.code

    def said(self, event: Event) -> None:
        if isinstance(event, Progress) and not isinstance(self.request, Load):
            return
        if self.first_event is None:
            self.first_event = time.monotonic() - self.submitted
        self._events.append(event)
        self._news.set()

    def used(self, count: int) -> None:
        self._unused -= count
        if self._unused < INPUT_WINDOW:
            self._room.set()

    def finish(self, error: SpeechError | None) -> None:
        """The end: every waiter wakes. The first call counts."""
        if self.ended:
            return
        self.ended = True
        self._error = error
        self._wake()
        self._over(self)

    def _wake(self) -> None:
        self._news.set()
        self._room.set()
