"""The microphone and the loudspeaker of this machine, by PortAudio."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from speechmlx.cli.terminal.running import tell
from speechmlx.errors import Unavailable

BLOCK_SECONDS = 0.05
"""Seconds of a block of the microphone."""
MAX_WAITING = 1200
"""Blocks of the microphone that may wait: a minute of sound."""
AHEAD_SECONDS = 20.0
"""Seconds of sound that may wait to be played."""
SILENT_BLOCKS = 60
"""So many blocks of nothing but zeros come from a microphone that macOS does not allow."""
ALLOW = "System Settings > Privacy & Security > Microphone must allow your terminal program"
NO_LIBRARY = (
    "PortAudio was not found, which the microphone and the loudspeaker need; on Debian: apt install libportaudio2"
)


def sound_library() -> Any:
    """The module sounddevice. Raises Unavailable where PortAudio is missing."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise Unavailable(NO_LIBRARY) from error
    return sounddevice


class Microphone:
    """Iterate for blocks of mono PCM16 at `rate` Hz, in the block of `open`, until `close`."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._zeros = self._lost = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Raises Unavailable where there is no microphone."""
        library, loop = sound_library(), asyncio.get_running_loop()

        def heard(block: Any, *_: Any) -> None:
            loop.call_soon_threadsafe(self._add, bytes(block))

        size = round(self._rate * BLOCK_SECONDS)
        with _errors(library, "microphone"):
            stream = library.RawInputStream(
                samplerate=self._rate, channels=1, dtype="int16", blocksize=size, callback=heard
            )
            stream.start()
        try:
            yield
        finally:
            stream.close()

    def close(self) -> None:
        """The iteration ends after the blocks that wait."""
        self._blocks.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (block := await self._blocks.get()) is not None:
            yield block

    def _add(self, block: bytes) -> None:
        if self._blocks.qsize() >= MAX_WAITING:
            self._lost += 1
            if self._lost == 1:
                tell("recognition is slower than speech: some of what the microphone hears is lost")
            return
        if self._zeros < SILENT_BLOCKS:
            self._zeros = SILENT_BLOCKS + 1 if any(block) else self._zeros + 1
            if self._zeros == SILENT_BLOCKS:
                tell(f"the microphone gives nothing but silence{f'; {ALLOW}' if sys.platform == 'darwin' else ''}")
        self._blocks.put_nowait(block)


class Loudspeaker:
    """Plays mono PCM16 at `rate` Hz, in the block of `open`. Any thread may ask; one task plays."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        """Bytes that wait."""
        self._played = asyncio.Event()
        """Some of them were given to the device."""

    @property
    def busy(self) -> bool:
        """Whether something waits to be played."""
        return self._size > 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Raises Unavailable where there is no loudspeaker."""
        library, loop = sound_library(), asyncio.get_running_loop()

        def wanted(out: Any, *_: Any) -> None:
            self._fill(out)
            loop.call_soon_threadsafe(self._played.set)

        with _errors(library, "loudspeaker"):
            stream = library.RawOutputStream(samplerate=self._rate, channels=1, dtype="int16", callback=wanted)
            stream.start()
        try:
            yield
        finally:
            stream.stop()  # after what the device has
            stream.close()

    def add(self, pcm16: bytes) -> None:
        """Play it after what waits."""
        with self._lock:
            self._waiting.append(pcm16)
            self._size += len(pcm16)

    async def play(self, pcm16: bytes) -> None:
        """Play it after what waits. Returns when less than AHEAD_SECONDS wait."""
        self.add(pcm16)
        await self._less_than(2 * self._rate * AHEAD_SECONDS)

    async def drained(self) -> None:
        """Returns when all was given to the device."""
        await self._less_than(1)

    def clear(self) -> None:
        """Play nothing of what waits."""
        with self._lock:
            self._waiting.clear()
            self._size = 0
        self._played.set()

    async def _less_than(self, size: float) -> None:
        """Returns when fewer bytes wait."""
        while self._size >= size:
            self._played.clear()
            await self._played.wait()

    def _fill(self, out: Any) -> None:
        """Fill the device's buffer: what waits, then silence."""
        wanted = len(out)
        data = bytearray()
        with self._lock:
            while self._waiting and len(data) < wanted:
                first = self._waiting.popleft()
                rest = first[wanted - len(data) :]
                data += first[: wanted - len(data)]
                if rest:
                    self._waiting.appendleft(rest)
            self._size -= len(data)
        out[:] = bytes(data).ljust(wanted, b"\0")


@contextmanager
def _errors(library: Any, device: str) -> Iterator[None]:
    """PortAudio's error as ours."""
    try:
        yield
    except library.PortAudioError as error:
        way = f"; {ALLOW}" if sys.platform == "darwin" and device == "microphone" else ""
        raise Unavailable(f"the {device} cannot be opened: {error}{way}") from error
