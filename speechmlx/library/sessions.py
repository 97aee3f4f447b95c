"""Live sessions of `Speech`: what those of AsyncSpeech are, for programs without an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from speechmlx.conversation.events import Event
from speechmlx.conversation.items.item import Item
from speechmlx.library.live import AsyncLive
from speechmlx.library.loop_thread import LoopThread
from speechmlx.library.talking import AsyncTalk
from speechmlx.types import Hypothesis

if TYPE_CHECKING:
    from speechmlx.library.live_audio import Pcm

Given = TypeVar("Given")


class LiveBlock(Generic[Given]):
    """A session under way. Use it with `with`; leaving the block ends it at once.

    One thread may feed, such as a microphone's callback, while another iterates.
    """

    def __init__(self, loop: LoopThread, live: AsyncLive[Any, Given]) -> None:
        self._loop = loop
        self._live = live

    def __enter__(self) -> Self:
        self._loop.run(self._live.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it at once: what is not recognised is dropped, and iteration ends. May be called again."""
        self._loop.run(self._live.close())

    def feed(self, pcm: Pcm, rate: int = 16000) -> None:
        """The next audio, any length: bytes of mono PCM16, or an array [n] or [n, channels], at `rate` Hz.

        Floats are in [-1, 1]. Waits only while 32 MiB wait to be processed. Raises BadRequest for what is no audio, and
        after `finish`.
        """
        self._loop.run(self._live.feed(pcm, rate))

    def finish(self) -> None:
        """No more audio comes: iteration ends once everything that came of it was read. May be called again."""
        self._loop.run(self._live.finish())

    def __iter__(self) -> Iterator[Given]:
        return self

    def __next__(self) -> Given:
        try:
            return self._loop.run(_next(self._live))
        except StopAsyncIteration:
            raise StopIteration from None


class Listening(LiveBlock[Hypothesis]):
    """Feed audio, and iterate for the words: each `Hypothesis` has those that are final since the last one, each once,
    and the unsure words after them, which replace those before. Times are seconds of the audio that was fed.

    `finish` returns when all audio is recognised. An error of the models is raised once, by the iteration or by
    `finish`; the session goes on.
    """


class Talk(LiveBlock[Event]):
    """Feed the microphone's audio, and iterate over the events, which `AsyncTalk` names; play the OutputAudio."""

    rate = AsyncTalk.rate
    """Hz of the answers' audio."""

    def __init__(self, loop: LoopThread, talk: AsyncTalk) -> None:
        super().__init__(loop, talk)
        self._talk = talk

    @property
    def history(self) -> tuple[Item, ...]:
        """The conversation so far, oldest first: what was said, and of an interrupted answer what was heard."""
        return self._loop.run(_history(self._talk))

    def say(self, text: str) -> None:
        """Say something in writing, and have it answered. Raises BadRequest for no text."""
        self._loop.run(self._talk.say(text))

    def interrupt(self) -> None:
        """Stop the answer under way. Failed follows where there is none."""
        self._loop.run(self._talk.interrupt())


async def _history(talk: AsyncTalk) -> tuple[Item, ...]:
    return talk.history


async def _next(live: AsyncIterator[Given]) -> Given:
    return await anext(live)
