"""Job: one request, as the server process sees it. Its events come in, its commands go out to the engine process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from speechmlx import tracing
from speechmlx.errors import SpeechError
from speechmlx.log import current as current_record
from speechmlx.models.voices import UNLISTED
from speechmlx.runtime.channel import Channel
from speechmlx.runtime.front.client import current
from speechmlx.runtime.ipc.messages import (
    INPUT_WINDOW,
    OUTPUT_WINDOW,
    CancelJob,
    Input,
    JobTimes,
    OutputConsumed,
    Start,
    ToEngine,
)
from speechmlx.types import Chunk, Command, End, Event, Feed, Load, Progress, Request, Unload

if TYPE_CHECKING:
    from speechmlx.models.spec import Model
    from speechmlx.types import Samples

MAX_REQUEUES = 3
"""Times that a job waits for another engine process after the one that had it ended before it was begun."""


class Job:
    """`async with job:` around the response, `async for event in job:` inside it. Leaving the block cancels the job.

    Iteration ends when the job is done, and raises the SpeechError that it failed with. Only the job of a `Load` has
    `Progress` events.
    """

    sent: float | None = None
    """When the engine process got it, in seconds of the monotonic clock; None before."""
    first_audio: float | None = None
    """When the first sound came; None before."""
    times: JobTimes | None = None
    """Those of the engine process, where it ended the job."""

    def __init__(
        self, id: int, request: Request, model: Model, send: Callable[[ToEngine], None], on_end: Callable[[Job], None]
    ) -> None:
        self.id = id
        self.request = request
        self.model = model
        self.client = current.get()
        """Who it is for."""
        self.record = current_record()
        """What the log tells of the request that it is part of; None outside of one."""
        if self.record is not None:
            self.record.use(model.name)
        self.started = False
        """Whether the engine process has it."""
        self.begun = False
        """Whether the engine process works on it."""
        self.ended = False
        self.submitted = time.monotonic()
        """Seconds of the monotonic clock at submit."""
        self.first_event: float | None = None
        """Seconds from submit to the first event; None before that event."""
        self.span = tracing.current()
        """The stage that it is part of."""
        self._send = send
        self._on_end = on_end
        self._events: Channel[Event] = Channel()
        self._consumed = 0
        """Events that the reader took and that the engine process was not told of."""
        self._early: list[Command] = []
        """Commands that came before it was begun."""
        self._requeues = 0
        self._unused = 0
        """Commands that the engine has not consumed."""
        self._room = asyncio.Event()
        self._room.set()
        self._error: SpeechError | None = None
        self._cancelled = False
        self._feeding: asyncio.Task[None] | None = None

    # --- for the reader ---

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)
            self._feeding = None  # its error refers to this job, and to what it fed last

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await anext(self._events)
        self._consumed += not isinstance(event, Progress)
        if self._consumed >= OUTPUT_WINDOW // 2 and not self.ended:
            self._send(OutputConsumed(self.id, self._consumed))
            self._consumed = 0
        return event

    async def collect(self) -> list[Event]:
        """Read the job to its end and return all events. Raises the SpeechError that it failed with."""
        async with self:
            return [event async for event in self]

    async def finished(self) -> None:
        """Read the job to its end and drop the events. Raises the SpeechError that it failed with."""
        async with self:
            async for _ in self:
                pass

    # --- for the writer ---

    def fed_by(self, source: AsyncIterable[Samples | Command]) -> Self:
        """Send each item of `source` (samples as `Feed`), then `End`, while the job's events are read.

        Where `source` raises, the job is cancelled and iteration ends with that error. The end of the job stops the
        feeding; leaving its block waits until that has stopped.
        """
        self._feeding = asyncio.create_task(self._feed(source))
        return self

    async def send(self, command: Command) -> None:
        """Send a command to the engine. Waits while INPUT_WINDOW are not consumed. Does nothing after the end."""
        await self._room.wait()
        if self.ended or self._cancelled:
            return
        self._unused += 1
        if self._unused >= INPUT_WINDOW:
            self._room.clear()
        if self.started:
            self._send(Input(self.id, command))
        if not self.begun:
            self._early.append(command)

    @property
    def unconsumed(self) -> int:
        """Commands that were sent and that the engine has not consumed."""
        return self._unused

    async def end(self) -> None:
        """Send `End`: no more input comes."""
        await self.send(End())

    def cancel(self) -> None:
        """End the job after the engine's current step, and iteration at once. May be called again."""
        if self.ended or self._cancelled:
            return
        self._cancelled = True
        self._release()
        if self.started:
            self._send(CancelJob(self.id))
        else:
            self.finish_with(None)

    # --- for the runtime ---

    def start(self, folder: str) -> None:
        """Send the request and the commands so far to the engine process; `folder` holds the model's weights."""
        if self.ended:
            return
        self.started = True
        self.sent = time.monotonic()
        request_id = self.record.id if self.record is not None else ""
        model = replace(self.model, voices=UNLISTED)  # the request has its voice; recordings of others stay here
        self._send(Start(self.id, self.request, model, folder, self.client.name, request_id))
        for command in self._early:
            self._send(Input(self.id, command))

    def on_begun(self) -> None:
        """The engine process begins with it."""
        self.begun = True
        self._early.clear()

    def requeue(self) -> bool:
        """Put a job that the engine process ended with, but had not begun, back before its start.

        False: it has to end. It was begun or cancelled, loads or unloads, or was put back MAX_REQUEUES times.
        """
        if self.begun or self._cancelled or self._requeues == MAX_REQUEUES or isinstance(self.request, Load | Unload):
            return False
        self._requeues += 1
        self.started, self.sent = False, None
        return True

    @property
    def outcome(self) -> str:
        """Of an ended job: "ok", "cancelled" or the code of its error."""
        if self._cancelled:
            return "cancelled"
        return "ok" if self._error is None else self._error.code

    def on_output(self, event: Event) -> None:
        """The engine process, or the fetch of the weights, gave an event."""
        if isinstance(event, Progress) and not isinstance(self.request, Load):
            return
        if self.first_event is None:
            self.first_event = time.monotonic() - self.submitted
        if isinstance(event, Chunk):
            self.first_audio = self.first_audio or time.monotonic()
            if self.record is not None:
                self.record.made(event.duration)
        self._events.put(event)

    def on_input_consumed(self, count: int) -> None:
        """The engine consumed `count` commands more."""
        self._unused -= count
        if self._unused < INPUT_WINDOW:
            self._room.set()

    def finish_with(self, error: SpeechError | None) -> None:
        """End the job, with its error where it failed. Only the first call counts."""
        if self.ended:
            return
        self.ended = True
        self._error = error
        self._release(error)
        self._on_end(self)

    async def _feed(self, source: AsyncIterable[Samples | Command]) -> None:
        try:
            async for item in source:
                await self.send(item if isinstance(item, Command) else Feed(item))
            await self.end()
        except BaseException as error:  # whatever it is, nothing feeds the job any more
            self._release(error)
            self.cancel()
            if not isinstance(error, Exception):
                raise

    def _release(self, error: BaseException | None = None) -> None:
        """Stop the feeding and wake the writers and the reader, who gets the waiting events first."""
        self._events.end(error)
        self._early.clear()
        self._room.set()
        if self._feeding is not None and self._feeding is not asyncio.current_task():
            self._feeding.cancel()
