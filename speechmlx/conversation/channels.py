"""A stream of several channels that are transcribed one by one: a session for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Self

from speechmlx.conversation import commands
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.event_queue import COMMAND_MARK
from speechmlx.conversation.events import Event, OnChannel
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.runtime.channel import Channel


class ChannelSessions:
    """Used like a TranscriptionSession. `settings.input` is the format of all `count` channels together.

    Commands go to every channel, but for ToChannel and Emit. Events come as OnChannel.
    """

    def __init__(self, engines: Engines, settings: Settings, count: int) -> None:
        self.settings = settings
        self._sessions = [TranscriptionSession(engines, _of_channel(settings, number)) for number in range(count)]
        self._merged: Channel[Event] = Channel(COMMAND_MARK)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for session in self._sessions:
                await stack.enter_async_context(session)
            self._stack = stack.pop_all()
        self._merging = asyncio.create_task(self._merge())
        self._merged.end_after(self._merging)
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._merging.cancel()
        await asyncio.gather(self._merging, return_exceptions=True)
        await self._stack.aclose()

    def watch_decoded(self, on_decoded: Callable[[float], None]) -> None:
        """As of a TranscriptionSession. Each channel decodes the whole container; one of them tells."""
        self._sessions[0].watch_decoded(on_decoded)

    def events(self) -> AsyncIterator[Event]:
        """Every event of every channel; those of one channel are in order. For one reader."""
        return aiter(self._merged)

    async def send(self, command: commands.Command) -> None:
        """Queue a command. Waits while a channel has too many waiting. An unknown channel is the last one."""
        match command:
            case commands.ToChannel(channel=channel, command=inner):
                await self._sessions[min(channel, len(self._sessions) - 1)].send(inner)
            case commands.Emit():
                await self._sessions[0].send(command)
            case commands.Configure(settings=settings):
                self.settings = settings
                for number, session in enumerate(self._sessions):
                    note = command.note if number == 0 else None
                    await session.send(replace(command, settings=_of_channel(settings, number), note=note))
            case _:
                for session in self._sessions:
                    await session.send(command)

    async def _merge(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, session in enumerate(self._sessions):
                group.create_task(self._forward(number, session))

    async def _forward(self, number: int, session: TranscriptionSession) -> None:
        async for event in session.events():
            await self._merged.send(OnChannel(number, event))


def _of_channel(settings: Settings, number: int) -> Settings:
    return replace(settings, input=replace(settings.input, channel=number))
