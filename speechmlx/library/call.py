"""AsyncCall: one call of the library under way, whose parts come as they are made."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Part = TypeVar("Part")
Whole = TypeVar("Whole")


class AsyncCall(Generic[Part, Whole]):
    """Iterate for the parts as they come, or `await` it for the whole.

    The work begins with the first part that is asked for, or with `begin`. Leaving `async with` before the end cancels
    it. Raises the SpeechError that the work failed with; after an early close, the whole is what came until then.

    `prepare` starts the work on a stack, which ends it, and gives its parts; `whole` is made of them.
    """

    def __init__(
        self, prepare: Callable[[AsyncExitStack], Awaitable[AsyncIterator[Part]]], whole: Callable[[], Whole]
    ) -> None:
        self._prepare = prepare
        self._whole = whole
        self._stack = AsyncExitStack()
        self._parts: AsyncIterator[Part] | None = None
        self._first: asyncio.Task[Part] | None = None
        """The first part, where `begin` asked for it."""
        self._error: BaseException | None = None
        self._closed = False
        self._finalizer: weakref.finalize[..., Any] | None = None

    async def begin(self) -> Self:
        """Start the work now. Raises what is wrong with the arguments and the recording."""
        await self._start()
        if self._first is None and self._parts is not None:
            self._first = asyncio.create_task(_next(self._parts))
            self._first.add_done_callback(_retrieve_error)
            self._stack.push_async_callback(_stop, self._first)
        return self

    async def close(self) -> None:
        """Cancel what is not done. May be called again."""
        self._closed = True
        if self._finalizer is not None:
            self._finalizer.detach()
        await self._stack.aclose()

    @property
    def so_far(self) -> Whole:
        """The whole, as far as it has come."""
        return self._whole()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise StopAsyncIteration
        try:
            parts = await self._start()
            first, self._first = self._first, None
            return await (first if first is not None else anext(parts))
        except StopAsyncIteration:
            await self.close()
            raise
        except BaseException as error:
            self._error = error if isinstance(error, Exception) else None
            await self.close()
            raise

    def __await__(self) -> Generator[Any, None, Whole]:
        return self._all().__await__()

    async def _all(self) -> Whole:
        async with self:
            async for _ in self:
                pass
        return self._whole()

    async def _start(self) -> AsyncIterator[Part]:
        if self._parts is None:
            self._finalizer = weakref.finalize(self, _abandon, asyncio.get_running_loop(), self._stack)
            self._finalizer.atexit = False
            self._parts = await self._prepare(self._stack)
        return self._parts


async def _next(parts: AsyncIterator[Part]) -> Part:
    return await anext(parts)


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Who reads the call gets the error. Nobody may."""
    if not task.cancelled():
        task.exception()


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


_ending: set[asyncio.Task[None]] = set()
"""The ends of calls that nobody has any more."""


def _abandon(loop: asyncio.AbstractEventLoop, stack: AsyncExitStack) -> None:
    """Nobody has the call any more: end its work."""

    def end() -> None:
        task = loop.create_task(stack.aclose())
        _ending.add(task)
        task.add_done_callback(_ending.discard)

    if not loop.is_closed():
        loop.call_soon_threadsafe(end)
