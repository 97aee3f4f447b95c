"""Live sessions of the library: audio is fed while what comes of it is read."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.commands import Append, Command, Configure, Finish, Lapse
from speechmlx.conversation.input.pipeline import AT_ONCE
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.errors import BadRequest, Draining
from speechmlx.library.live_audio import encoded, pieces

if TYPE_CHECKING:
    from speechmlx.library.live_audio import Pcm

Given = TypeVar("Given")
Session = TypeVar("Session", bound=TranscriptionSession)
Opener = Callable[[], Awaitable[tuple[Session, float]]]
"""Makes a session, and tells after how many seconds without audio, in mid-speech, a turn is over; 0 never."""


class AsyncLive(Generic[Session, Given]):
    """A session under way. Use it with `async with`; leaving the block ends it at once. One task may feed while another
    iterates. `on_close` is called at the end.
    """

    def __init__(self, open_session: Opener[Session], on_close: Callable[[Any], None]) -> None:
        self._open_session = open_session
        self._on_close = on_close
        self._session: Session | None = None
        self._audio_timeout = 0.0
        self._lapse: asyncio.Task[None] | None = None
        self._feeding = asyncio.Lock()
        self._finishing = self._closed = False
        self._format: AudioFormat | None = None

    async def __aenter__(self) -> Self:
        if self._session is not None or self._closed:
            raise BadRequest("this session was used already; make a new one")
        try:
            session, self._audio_timeout = await self._open_session()
            self._session = await session.__aenter__()
        except BaseException:
            self._closed = True
            self._on_close(self)
            raise
        self._begin(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End it at once: what is not recognised is dropped, and iteration ends. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._stop_lapse()
        if self._session is not None:
            await self._session.__aexit__(None, None, None)
            self._on_close(self)

    async def feed(self, pcm: Pcm, rate: int = 16000) -> None:
        """The next audio, any length: bytes of mono PCM16, or an array [n] or [n, channels], at `rate` Hz.

        Floats are in [-1, 1]. Waits only while 32 MiB wait to be processed. Raises BadRequest for what is no audio, and
        after `finish`.
        """
        session = self._running()
        if self._finishing:
            raise BadRequest("the session was finished: it takes no more audio")
        data, format = encoded(pcm, rate)
        self._check_unread(len(data))
        self._stop_lapse()
        async with self._feeding:
            if format != self._format:
                self._format = format
                await session.send(Configure(settings=replace(session.settings, input=format)))
            for piece in pieces(data, format):
                await session.send(Append(audio=piece))
        self._expect_more(min(format.seconds(len(data)), AT_ONCE))

    async def finish(self) -> None:
        """No more audio comes: iteration ends once everything that came of it was read. May be called again."""
        if not self._finishing:
            self._finishing = True
            self._stop_lapse()
            await self._send(Finish())

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> Given:
        """What comes next of the audio."""

    @abstractmethod
    def _begin(self, session: Session) -> None:
        """The session has started."""

    @abstractmethod
    def _check_unread(self, size: int) -> None:
        """So many bytes more are fed. Raises BadRequest where too much waits to be read."""

    def _running(self) -> Session:
        if self._session is None:
            raise BadRequest("a live session is used in a block: with speech.listen() as live: ...")
        if self._closed:
            raise Draining("the session is closed")
        return self._session

    async def _send(self, command: Command) -> None:
        session = self._running()
        async with self._feeding:
            await session.send(command)

    # --- audio that stops to come ---

    def _expect_more(self, pace: float) -> None:
        """End the turn under way where no audio follows soon after the `pace` seconds that came."""
        self._stop_lapse()
        if self._audio_timeout and not self._finishing and not self._closed:
            self._lapse = asyncio.create_task(self._lapse_after(pace + self._audio_timeout))

    def _stop_lapse(self) -> None:
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None

    async def _lapse_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._running().send(Lapse())
