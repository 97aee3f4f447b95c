"""Compressed audio as it comes over a live connection → mono float32. Any container is found by its content.

A thread of its own decodes: PyAV reads from a pipe that waits for bytes. It keeps what was pushed and not decoded yet,
and decodes no further while `on_samples` blocks.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av

from speechmlx.audio import pyav
from speechmlx.audio.decode import samples_of
from speechmlx.audio.mixing import mixed
from speechmlx.audio.resample import Resampler
from speechmlx.audio.sniff import ALLOWED, HEAD, WINDOW, describe, locate
from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

PROMPT = {"probesize": "2048", "analyzeduration": "0"}
"""ffmpeg's options for a stream that plays while it is read: do not wait for seconds of it."""


class StreamDecoder:
    """Decodes one stream to `rate` Hz. `on_samples` gets the samples, on the decoder's thread; it may block.

    `channel` picks one channel; None mixes all of them.
    """

    def __init__(self, rate: int, on_samples: Callable[[Samples], None], channel: int | None = None) -> None:
        self._rate = rate
        self._on_samples = on_samples
        self._channel = channel
        self._pipe = _Pipe()
        self._error: BadAudio | None = None
        self._thread = threading.Thread(target=self._run, name="stream-decoder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Bytes that were pushed and not read yet."""
        return self._pipe.waiting

    @property
    def idle(self) -> bool:
        """Whether all that was pushed is decoded, as far as it can be without the bytes that follow."""
        return self._pipe.starved or not self._thread.is_alive()

    @property
    def error(self) -> BadAudio | None:
        """Why it stopped decoding."""
        return self._error

    def push(self, data: bytes) -> None:
        """The next bytes; never waits. Raises BadAudio once what came before cannot be decoded."""
        if self._error is not None:
            raise self._error
        self._pipe.write(data)

    def finish(self) -> None:
        """End the stream and wait until all of it is decoded: call it in a thread. Raises BadAudio."""
        self._pipe.end()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Drop the rest."""
        self._pipe.end(drop=True)

    def _run(self) -> None:
        resampler: Resampler | None = None
        try:
            for samples, rate in self._mono():
                if resampler is None or resampler.source != rate:
                    if resampler is not None:
                        self._on_samples(resampler.flush())
                    resampler = Resampler(rate, self._rate)
                self._on_samples(resampler.push(samples))
            if resampler is not None:
                self._on_samples(resampler.flush())
        except BadAudio as error:
            self._error = error
        finally:
            self._pipe.end(drop=True)

    def _mono(self) -> Iterator[tuple[Samples, int]]:
        """Samples [n] and their rate."""
        if self._channel is None:
            yield from mixed(self._frames())
            return
        for values, rate in self._frames():
            if self._channel >= len(values):
                raise BadAudio(f"the audio has {len(values)} channels; channel {self._channel} is not among them")
            for samples, _ in mixed(iter([(values[self._channel : self._channel + 1], rate)])):
                yield samples, rate

    def _frames(self) -> Iterator[tuple[NDArray[Any], int]]:
        """Samples [channels, n] as the stream has them, and their rate."""
        head = self._pipe.peek(HEAD)
        match = locate(io.BytesIO(head), headerless=False) or locate(
            io.BytesIO(head := self._pipe.peek(WINDOW)), headerless=False
        )
        if not head:
            return
        if match is None:
            raise BadAudio(f"the audio is {describe(io.BytesIO(head))}; allowed: {ALLOWED}")
        container, start = match
        self._pipe.read(start)
        try:
            with pyav.opened(cast(BinaryIO, self._pipe), container.demuxer, PROMPT) as source:
                yield from _decoded(source, container.name)
        except (av.FFmpegError, ValueError) as error:
            if not self._pipe.dropped:
                raise BadAudio(f"the audio looks like {container.name} but cannot be decoded: {error}") from error


def _decoded(source: av.container.InputContainer, name: str) -> Iterator[tuple[NDArray[Any], int]]:
    if not source.streams.audio:
        raise BadAudio(f"the {name} stream has no audio track")
    readable = pyav.Packing()
    for packet in source.demux(source.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:  # a corrupt packet: the stream goes on behind it
            continue
        for frame in frames:
            for packed in readable(frame):
                yield samples_of(packed, frame.layout.nb_channels), frame.sample_rate


class _Pipe:
    """A file that is written by one thread and read by another, which waits for bytes."""

    def __init__(self) -> None:
        self.dropped = False
        self._data = bytearray()
        self._ended = False
        self._needed = 0
        """Bytes without which the reader waits; 0 while it does not."""
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        return len(self._data)

    @property
    def starved(self) -> bool:
        """Whether the reader waits for bytes."""
        with self._changed:
            return not self._ended and len(self._data) < self._needed

    def write(self, data: bytes) -> None:
        with self._changed:
            if not self._ended:
                self._data += data
                self._changed.notify()

    def end(self, drop: bool = False) -> None:
        with self._changed:
            self._ended = True
            if drop:
                self.dropped = True
                self._data.clear()
            self._changed.notify()

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end, which stay."""
        with self._changed:
            self._wait(size)
            return bytes(self._data[:size])

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, at least one; none at the end."""
        with self._changed:
            self._wait(1)
            data = bytes(self._data[:size] if size >= 0 else self._data)
            del self._data[: len(data)]
            return data

    def _wait(self, size: int) -> None:
        """Wait for `size` bytes, or the end. The caller holds the lock."""
        self._needed = size
        self._changed.wait_for(lambda: self._ended or len(self._data) >= size)
        self._needed = 0
