"""Decodes any common audio format to mono float32 at the rate of a model, at once or in blocks.

Decoding is CPU work that may take seconds: call it in a thread, never on an event loop.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from speechmlx.audio import kinds, wav
from speechmlx.audio.effort import CheckedFile, Effort
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.mixing import mixed
from speechmlx.audio.pcm import FullScale, scaled, to_float, within_full_scale
from speechmlx.audio.resample import Resampler
from speechmlx.audio.sniff import ALLOWED, HEAD, WAV, Format, describe, locate
from speechmlx.errors import BadAudio, TooLarge
from speechmlx.types import Audio

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from numpy.typing import NDArray

    from speechmlx.types import Samples

Source = bytes | bytearray | Path | BinaryIO

MAX_SECONDS = 4 * 3600.0
LEAST_BITS = 600
"""Minimum bit rate of recorded speech without pauses, in bits per second."""
SILENT_SECONDS = 1800.0
"""Seconds of audio allowed beyond what LEAST_BITS implies: a long pause is not a decompression bomb."""
RATES = range(1000, 768_001)
MAX_CHANNELS = 256
MAX_TRACKS = 16
"""Maximum number of tracks that are tried if the earlier ones have no samples."""
BLOCK_SECONDS = 1.0


def decode(source: Source, rate: int, *, pcm_rate: int | None = None, max_seconds: float = MAX_SECONDS) -> Audio:
    """Decode all of `source`, mixed to mono and resampled to `rate` Hz.

    The format is detected from the content. `pcm_rate` allows headerless mono PCM16 of that rate in Hz. The decodable
    part of a truncated or corrupt file is returned. Raises BadAudio, which names the kind of file and the allowed
    formats, or that the file takes too much work, and TooLarge for audio longer than `max_seconds` or a small file that
    decodes to hours.
    """
    data = bytearray()
    for block in blocks(source, rate, pcm_rate=pcm_rate, max_seconds=max_seconds, fit=False):
        data += block.tobytes()
    return Audio(within_full_scale(np.frombuffer(data, np.float32)), rate)


def blocks(
    source: Source,
    rate: int,
    *,
    pcm_rate: int | None = None,
    raw: AudioFormat | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
    fit: bool = True,
) -> Iterator[Samples]:
    """Decode like `decode`, in blocks of about a second, on demand. Memory is bounded for any length.

    `raw` is the format of samples without a header, and `channel` the one to decode, from 0, instead of a mix of all.
    With `fit`, a file of floats is read twice: first for its peak, then scaled to [-1, 1]. Otherwise the scale is kept.
    """
    if pcm_rate is not None:
        raw = AudioFormat("pcm16", pcm_rate)
    effort = Effort()
    with ExitStack() as stack:
        file = _checked(source, effort, stack)
        packed = SILENT_SECONDS + file.seek(0, os.SEEK_END) * 8 / LEAST_BITS
        count, limit = 0, min(max_seconds, packed) * rate
        full = _full_scale(file, raw) if fit else 1.0
        for block in _gathered(_resampled(mixed(_read(file, raw, channel)), rate), int(rate * BLOCK_SECONDS)):
            count += len(block)
            if count > limit and packed < max_seconds:
                raise TooLarge(f"a file this small holds no more than {packed:.0f} seconds of speech, this one does")
            if count > limit:
                raise TooLarge(f"the audio is longer than the limit of {max_seconds:g} seconds; send it in parts")
            effort.made(len(block) / rate)
            yield scaled(block, full)
            effort.start()
        if count == 0:
            raise BadAudio("the audio holds no samples")


def _checked(source: Source, effort: Effort, stack: ExitStack) -> BinaryIO:
    """`source` as a file that checks `effort`, until `stack` closes."""
    if isinstance(source, bytes | bytearray):
        file: BinaryIO = io.BytesIO(source)
    elif isinstance(source, Path):
        file = stack.enter_context(source.open("rb"))
    else:
        file = source
    stack.enter_context(effort.judged())
    return cast(BinaryIO, CheckedFile(file, effort))


Pieces = Iterator[tuple["NDArray[Any]", int]]
"""Samples [channels, n] in the type of the file, and their rate in Hz, which may change within a stream."""


def count_channels(file: BinaryIO, raw: AudioFormat | None = None) -> int:
    """The channels of a recording, at its beginning; 0 where it holds no samples. Raises BadAudio."""
    effort = Effort()
    file = cast(BinaryIO, CheckedFile(file, effort))
    with effort.judged():
        if raw is not None and locate(file, headerless=True) is None:
            return raw.channels
        return next((len(values) for values, _ in _read(file, raw)), 0)


def _full_scale(file: BinaryIO, raw: AudioFormat | None) -> float:
    scale = FullScale()
    for values, _ in _read(file, raw):
        if values.dtype.kind != "f":
            return 1.0
        scale.hear(to_float(values))
    return scale.value


def _read(file: BinaryIO, raw: AudioFormat | None, channel: int | None = None) -> Pieces:
    location = locate(file, headerless=raw is not None)
    if location is None and raw is not None:
        yield from _read_raw(file, raw if channel is None else replace(raw, channel=channel))
        return
    if location is None:
        raise BadAudio(
            f"the audio is {describe(file)}; allowed: {ALLOWED}, or headerless mono PCM16 with its sample_rate given"
        )
    yield from _one_of(_read_container(file, *location), channel)


def _one_of(pieces: Pieces, channel: int | None) -> Pieces:
    """One channel of `pieces`; all of them for None."""
    for values, rate in pieces:
        if channel is not None and channel >= len(values):
            raise BadAudio(f"the audio has {len(values)} channels from some place on, and had more before")
        yield values if channel is None else values[channel : channel + 1], rate


def _read_container(file: BinaryIO, kind: Format, start: int) -> Pieces:
    file = _part(file, start)
    if kind is WAV and file.read(4) != b"RIFX":
        layout = wav.read_layout(file)
        _check(kind, layout.rate, layout.channels)
        if layout.readable:
            yield from ((samples, layout.rate) for samples in wav.read_samples(file, layout))
            return
        file = _part(file, 0, layout.end)
    yield from _read_av(file, kind)


class _Part:
    """The bytes of `file` from `start` to `end` as a file for reading."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, end
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._file.tell())
        return self._file.read(min(size, left) if size >= 0 else left)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}[whence]
        return self._file.seek(max(self._start, base + offset)) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def _part(file: BinaryIO, start: int, end: int | None = None) -> BinaryIO:
    return cast(BinaryIO, _Part(file, start, file.seek(0, os.SEEK_END) if end is None else end))


def _read_raw(file: BinaryIO, format: AudioFormat) -> Pieces:
    if format.rate not in RATES:
        raise BadAudio(f"sample_rate {format.rate} is outside {RATES[0]} to {RATES[-1]} Hz")
    file.seek(0)
    while data := file.read(wav.READ // format.width * format.width):
        whole = data[: len(data) // format.width * format.width]
        if format.encoding == "pcm16" and format.channels == 1:
            yield np.frombuffer(whole, "<i2")[None], format.rate
        else:
            yield format.decode(whole)[None], format.rate


def _read_av(file: BinaryIO, kind: Format) -> Pieces:
    """Frames of the first track of `_tracks` that has samples."""
    problem: Exception | None = None
    turn, turns = 0, 1
    while turn < turns:
        with _opened(file, kind) as container:
            tracks = _tracks(container, kind)
            decoded = False
            for result in _pieces(container, tracks[turn], kind):
                if isinstance(result, Exception):
                    problem = result
                else:
                    decoded = True
                    yield result
        if decoded:
            return
        turn, turns = turn + 1, len(tracks)
    if isinstance(problem, BadAudio):
        raise problem
    file.seek(0)
    fragment = kinds.piece(file.read(HEAD))
    why = f"it is {fragment}" if fragment else _reason(problem) if problem else "it ends before its first sample"
    raise BadAudio(f"the audio looks like {kind.name} but cannot be decoded: {why}")


def _opened(file: BinaryIO, kind: Format) -> av.container.InputContainer:
    """Open with a fixed demuxer: ffmpeg would otherwise follow playlists to other files and hosts."""
    import av

    from speechmlx.audio import pyav

    file.seek(0)
    try:
        return pyav.opened(file, kind.demuxer)
    except (av.FFmpegError, ValueError) as error:
        file.seek(0)
        fragment = kinds.piece(file.read(HEAD))
        why = f"it is {fragment}" if fragment else f"it may be truncated: {_reason(error)}"
        raise BadAudio(f"the audio looks like {kind.name} but cannot be read, {why}") from error


def _tracks(container: av.container.InputContainer, kind: Format) -> list[AudioStream]:
    """Tracks with a decoder: the default first, commentary and accessibility tracks last. Raises BadAudio if none."""
    from av.stream import Disposition

    tracks = container.streams.audio
    if not tracks:
        raise BadAudio(f"the {kind.name} file has no audio track")
    usable = [track for track in tracks if track.codec_context is not None]
    if not usable:
        raise BadAudio(f"the audio looks like {kind.name} but cannot be decoded: no decoder knows its codec")
    aside = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired
    order = sorted(
        usable, key=lambda track: (bool(track.disposition & aside), not track.disposition & Disposition.default)
    )
    return order[:MAX_TRACKS]


def _pieces(
    container: av.container.InputContainer, track: AudioStream, kind: Format
) -> Iterator[tuple[NDArray[Any], int] | Exception]:
    """Yield each frame that decodes. A corrupt packet yields its error; a broken container ends the stream."""
    import av

    from speechmlx.audio import pyav

    packets, readable = container.demux(track), pyav.Packing()
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, ValueError) as error:
            yield error
            return
        if packet is None:
            return
        try:
            for frame in packet.decode():
                channels = frame.layout.nb_channels
                _check(kind, frame.sample_rate, channels)
                for packed in readable(frame):
                    yield samples_of(packed, channels), frame.sample_rate
        except (av.FFmpegError, ValueError, BadAudio) as error:
            yield error


def samples_of(frame: AudioFrame, channels: int) -> NDArray[Any]:
    """Samples [channels, n] of a frame, of any PCM type."""
    values = frame.to_ndarray()
    return values if frame.format.is_planar else values.reshape(-1, channels).T


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _check(kind: Format, rate: int, channels: int) -> None:
    if rate not in RATES:
        raise BadAudio(f"the {kind.name} file has a sample rate of {rate} Hz; allowed: {RATES[0]} to {RATES[-1]}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(f"the {kind.name} file has {channels} channels; allowed: 1 to {MAX_CHANNELS}")


def _resampled(pieces: Iterator[tuple[Samples, int]], rate: int) -> Iterator[Samples]:
    resampler: Resampler | None = None
    for samples, source in pieces:
        if resampler is None or resampler.source != source:
            if resampler is not None:
                yield resampler.flush()
            resampler = Resampler(source, rate)
        yield resampler.push(samples)
    if resampler is not None:
        yield resampler.flush()


def _gathered(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Join pieces to blocks of at least `size` samples. The last block may be shorter. No block is empty."""
    waiting: list[Samples] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= size:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if count:
        yield np.concatenate(waiting)
