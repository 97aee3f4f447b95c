"""TestHarness: audio in at a speed, the state of live recognition at any moment out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadRequest
from speechmlx.library.async_speech import AsyncSpeech
from speechmlx.library.listening import AsyncListening
from speechmlx.library.sources import read_source
from speechmlx.testing.server_stream import ServerStream
from speechmlx.testing.state import LiveState
from speechmlx.types import Hypothesis, Word

if TYPE_CHECKING:
    from speechmlx.library.sources import Source

RATE = 16000
"""Hz at which audio is fed."""
CHUNK = 0.1
"""Seconds that are fed at once."""
PATIENCE = 60.0
"""Seconds that the harness waits for what a test waits for, by default."""


class StreamUnderTest(Protocol):
    """A stream of live recognition, here or on a server."""

    async def feed(self, pcm16: bytes) -> None:
        """The next mono PCM16 at RATE."""

    async def finish(self) -> None:
        """No more audio comes."""

    async def close(self) -> None:
        """Break it off."""

    def words(self) -> AsyncIterator[Hypothesis]:
        """What is heard, until the end."""


class LocalStream:
    """A stream of the engines of this machine."""

    def __init__(self, live: AsyncListening) -> None:
        self._live = live

    async def feed(self, pcm16: bytes) -> None:
        await self._live.feed(pcm16, RATE)

    async def finish(self) -> None:
        await self._live.finish()

    async def close(self) -> None:
        await self._live.close()

    def words(self) -> AsyncIterator[Hypothesis]:
        return self._live


class TestHarness:
    """Live recognition under test. Use it with `async with`.

    Without `url` the engines of this machine listen: those of `speech`, else of a new AsyncSpeech. With `url`
    (http://127.0.0.1:8080), a server does, over Deepgram's wire; `key` is its API key. `model` None is the default;
    `language` None detects. Entering the block raises BadRequest, Unavailable, and what `Speech.listen` raises.
    """

    __test__ = False  # it is no class of tests

    def __init__(
        self,
        *,
        url: str | None = None,
        key: str | None = None,
        speech: AsyncSpeech | None = None,
        model: str | None = None,
        language: str | None = None,
        diarize: bool = False,
    ) -> None:
        if url is not None and speech is not None:
            raise BadRequest("give a url or a speech: either a server listens, or the engines of this machine")
        self._url, self._key, self._speech = url, key, speech
        self._model, self._language, self._diarize = model, language, diarize
        self._stack = AsyncExitStack()
        self._words: list[Word] = []
        self._tail: tuple[Word, ...] = ()
        self._moments: list[tuple[float, int, tuple[Word, ...]]] = []
        """At each change: the seconds that were fed, the number of final words, the unsure words."""
        self._fed = 0.0
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        """What the stream failed with."""
        self._stream: StreamUnderTest | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._stream = await self._open(stack)
            self._reading = asyncio.create_task(self._read(self._stream))
            stack.push_async_callback(self._stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # --- audio ---

    async def feed(
        self, audio: Source, speed: float = 1.0, start: float = 0.0, end: float | None = None, chunk: float = CHUNK
    ) -> None:
        """Feed a recording, or its part from `start` to `end` seconds, in pieces of `chunk` seconds.

        `speed`: 1 as a person speaks, 2 twice as fast, 0 as fast as it goes. `audio` as for `Speech.transcribe`.
        Raises what that raises, and the error that the stream has failed with.
        """
        samples = (await read_source(audio, RATE)).samples[round(start * RATE) : None if end is None else _at(end)]
        await self._feed(to_pcm16(samples), speed, chunk)

    async def silence(self, seconds: float, speed: float = 1.0) -> None:
        """Feed so many seconds of silence."""
        await self._feed(bytes(2 * _at(seconds)), speed, CHUNK)

    async def pause(self, seconds: float, speed: float = 1.0) -> None:
        """Feed nothing for so many seconds, as a microphone that is switched off. At speed 0 it does nothing."""
        await asyncio.sleep(seconds / speed if speed else 0.0)

    async def finish(self, timeout: float = PATIENCE) -> LiveState:  # noqa: ASYNC109
        """End the audio, and return the last state. Raises TimeoutError, and the error that the stream failed with."""
        async with asyncio.timeout(timeout):
            await self._open_stream().finish()
            while not self._ended:
                await self._change()
        self._raise()
        return self.state

    async def cut(self) -> LiveState:
        """Break the stream off, as a client that disappears; the state as it is then."""
        await self._open_stream().close()
        return self.state

    # --- what is heard ---

    @property
    def state(self) -> LiveState:
        """What is heard by now."""
        return LiveState(tuple(self._words), self._tail, self._fed)

    @property
    def history(self) -> tuple[LiveState, ...]:
        """The state at each change so far."""
        return tuple(self._state(*moment) for moment in self._moments)

    def snapshot_at(self, seconds: float) -> LiveState:
        """The state when so many seconds of audio had been fed."""
        before = [moment for moment in self._moments if moment[0] <= seconds]
        return self._state(*before[-1]) if before else LiveState(fed=min(seconds, self._fed))

    async def wait_for(
        self,
        condition: Callable[[LiveState], object],
        timeout: float = PATIENCE,  # noqa: ASYNC109
    ) -> LiveState:
        """Wait until `condition` is true of the state, and return it.

        Raises TimeoutError that tells the state, where the stream has ended too; and the error that it failed with.
        """
        self._open_stream()
        end = asyncio.timeout(timeout)
        with suppress(TimeoutError):
            async with end:
                while not condition(state := self.state):
                    self._raise()
                    if self._ended:
                        break
                    await self._change()
                else:
                    return state
        why = f"not within {timeout:g} s" if end.expired() else "not before the stream ended"
        raise TimeoutError(f"{why}; heard: {self.state.committed_text!r}, unsure: {self.state.tail_text!r}")

    async def wait_for_text(self, text: str = "", timeout: float = PATIENCE) -> LiveState:  # noqa: ASYNC109
        """Wait until `text` is heard, in any case; "": until anything is."""
        return await self.wait_for(lambda state: state.text and text.lower() in state.text.lower(), timeout)

    async def wait_for_words(self, count: int, timeout: float = PATIENCE) -> LiveState:  # noqa: ASYNC109
        """Wait until so many words are final."""
        return await self.wait_for(lambda state: len(state.words) >= count, timeout)

    async def wait_for_speakers(self, count: int, timeout: float = PATIENCE) -> LiveState:  # noqa: ASYNC109
        """Wait until so many speakers were heard."""
        return await self.wait_for(lambda state: len(state.speakers) >= count, timeout)

    async def drain(self, seconds: float = 2.0) -> LiveState:
        """Wait until nothing has changed for so many seconds."""
        with suppress(TimeoutError):
            while not self._ended:
                async with asyncio.timeout(seconds):
                    await self._change()
        self._raise()
        return self.state

    # --- the stream ---

    async def _open(self, stack: AsyncExitStack) -> StreamUnderTest:
        if self._url is not None:
            stream = ServerStream(self._url, self._key, RATE, self._model, self._language, self._diarize)
            await stream.open()
            stack.push_async_callback(stream.close)
            return stream
        speech = self._speech
        if speech is None:
            speech = await stack.enter_async_context(AsyncSpeech())
        live = speech.listen(model=self._model, language=self._language, diarize=self._diarize)
        return LocalStream(await stack.enter_async_context(live))

    async def _read(self, stream: StreamUnderTest) -> None:
        try:
            async for hypothesis in stream.words():
                self._words += hypothesis.committed
                self._tail = hypothesis.tail
                self._moments.append((self._fed, len(self._words), self._tail))
                self._changed.set()
        except Exception as error:
            self._error = error
        finally:
            self._ended = True
            self._changed.set()

    async def _change(self) -> None:
        """Wait until something is heard, or the stream ends."""
        self._changed.clear()
        await self._changed.wait()

    async def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _feed(self, pcm16: bytes, speed: float, chunk: float) -> None:
        stream = self._open_stream()
        if speed < 0 or chunk <= 0:
            raise BadRequest(f"speed must be 0 or more and chunk more than 0, not {speed} and {chunk}")
        clock = asyncio.get_running_loop()
        due, size = clock.time(), 2 * max(1, _at(chunk))
        for start in range(0, len(pcm16), size):
            self._raise()
            piece = pcm16[start : start + size]
            seconds = len(piece) / 2 / RATE
            self._fed += seconds
            await stream.feed(piece)
            if speed:
                due += seconds / speed
                await asyncio.sleep(max(0.0, due - clock.time()))

    def _open_stream(self) -> StreamUnderTest:
        if self._stream is None:
            raise BadRequest("use the harness with `async with`")
        return self._stream

    def _raise(self) -> None:
        """Raise the error that the stream failed with."""
        if self._error is not None:
            raise self._error

    def _state(self, fed: float, count: int, tail: tuple[Word, ...]) -> LiveState:
        return LiveState(tuple(self._words[:count]), tail, fed)


def _at(seconds: float) -> int:
    """Samples."""
    return round(seconds * RATE)
