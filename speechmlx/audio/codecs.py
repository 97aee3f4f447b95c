"""PCM16 → WAV, MP3, Opus, AAC, FLAC or bare samples, encoded as it arrives, with one header for the whole stream.

Encoding is plain CPU work: call it in a thread, never on an event loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from speechmlx.audio.encode import wav_header
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import Resampler

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from speechmlx.types import Samples


class StreamEncoder(Protocol):
    """Encodes one stream. The bytes that it returns join to a complete file."""

    @property
    def head(self) -> bytes:
        """After `finish`: the first bytes of the file with its length in them; b"" if those are right as they are."""

    def push(self, pcm16: bytes) -> bytes:
        """Encode the next mono PCM16. Returns the bytes that are ready; b"" until a frame is full."""

    def finish(self) -> bytes:
        """Encode the rest and return it. The encoder cannot be used afterwards."""


@dataclass(frozen=True)
class Codec:
    """ffmpeg's `muxer` and `codec`, the sample `rates` in Hz that the codec takes (() is any), and bits per second."""

    muxer: str
    codec: str
    rates: tuple[int, ...] = ()
    bits: int | None = None
    options: tuple[tuple[str, str], ...] = ()


HEAD = 256
"""Bytes at the beginning of a file that a muxer may write again."""
PCM_RATE = 24000
"""Rate of headerless PCM in Hz; the stream cannot state it."""
CODECS = {
    "mp3": Codec(
        "mp3", "libmp3lame", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), 64_000,
        (("write_xing", "0"), ("id3v2_version", "0")),
    ),
    "opus": Codec("ogg", "libopus", (8000, 12000, 16000, 24000, 48000), 48_000, (("page_duration", "100000"),)),
    "aac": Codec("adts", "aac", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), 64_000),
    "flac": Codec("flac", "flac"),
}  # fmt: skip


def encoder(format: str, rate: int, target: int | None = None, bits: int | None = None) -> StreamEncoder:
    """An encoder of mono PCM16 at `rate` Hz to one of encode.MEDIA_TYPES.

    A format of CODECS takes a `target` rate in Hz, one of those that its codec has, and `bits` per second; None: what
    the codec and `rate` give.
    """
    if format == "wav":
        return _Wav(rate)
    if format == "pcm":
        return _Pcm(rate)
    return _Coded(CODECS[format], rate, target, bits)


class SampleEncoder:
    """Mono PCM16 at `rate` Hz → samples in `format`, which is no container; with `wav`, after a WAV header."""

    head = b""

    def __init__(self, rate: int, format: AudioFormat, wav: bool) -> None:
        self._format = format
        self._resampler = Resampler(rate, format.rate)
        self._same = format.encoding == "pcm16" and format.rate == rate
        self._header = wav_header(format.rate, None, format.encoding) if wav else b""

    def push(self, pcm16: bytes) -> bytes:
        return self._after_header(pcm16 if self._same else self._encode(self._resampler.push(from_pcm16(pcm16))))

    def finish(self) -> bytes:
        return self._after_header(b"" if self._same else self._encode(self._resampler.flush()))

    def _encode(self, samples: Samples) -> bytes:
        return self._format.encode(samples)

    def _after_header(self, data: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + data


class _Wav:
    """WAV, in whose header the length is unknown."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._size = 0
        self._header = wav_header(rate, None)

    @property
    def head(self) -> bytes:
        return wav_header(self._rate, self._size // 2)

    def push(self, pcm16: bytes) -> bytes:
        self._size += len(pcm16)
        header, self._header = self._header, b""
        return header + pcm16

    def finish(self) -> bytes:
        return self.push(b"")


class _Pcm:
    """PCM16 at PCM_RATE."""

    head = b""

    def __init__(self, rate: int) -> None:
        self._resampler = Resampler(rate, PCM_RATE)
        self._same = rate == PCM_RATE

    def push(self, pcm16: bytes) -> bytes:
        return pcm16 if self._same else to_pcm16(self._resampler.push(from_pcm16(pcm16)))

    def finish(self) -> bytes:
        return b"" if self._same else to_pcm16(self._resampler.flush())


class _Coded:
    """A compressed format, encoded by ffmpeg. Resamples to `target`, or the next higher rate that the codec takes."""

    def __init__(self, codec: Codec, rate: int, target: int | None, bits: int | None) -> None:
        import av

        if target is None:
            target = min(
                (known for known in codec.rates if known >= rate), default=codec.rates[-1] if codec.rates else rate
            )
        self._rate = target
        self._resampler = Resampler(rate, target)
        self._out = _PatchedSink() if codec.muxer == "flac" else _Sink()
        self._container: OutputContainer = av.open(
            self._out, "w", format=codec.muxer, options={"flush_packets": "1", **dict(codec.options)}
        )
        self._stream = cast("AudioStream", self._container.add_stream(codec.codec, rate=target, layout="mono"))
        if bits := bits or codec.bits:
            self._stream.bit_rate = bits
        self._count = 0

    @property
    def head(self) -> bytes:
        return self._out.head

    def push(self, pcm16: bytes) -> bytes:
        self._encode(to_pcm16(self._resampler.push(from_pcm16(pcm16))))
        return self._out.take()

    def finish(self) -> bytes:
        self._encode(to_pcm16(self._resampler.flush()))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._out.take()

    def _encode(self, pcm16: bytes) -> None:
        import av

        if not pcm16:
            return
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm16, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._count
        self._count += frame.samples
        self._container.mux(self._stream.encode(frame))


class _Sink:
    """A file that cannot seek, so that muxers write a header which they need not complete later."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def head(self) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _PatchedSink(_Sink):
    """A file that can seek back into its first HEAD bytes, where FLAC's muxer puts the number of samples at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._head = bytearray()
        self._at = self._size = 0
        self._is_patched = False

    @property
    def head(self) -> bytes:
        return bytes(self._head) if self._is_patched else b""

    def write(self, data: bytes) -> int:
        self._is_patched |= self._at < self._size
        self._head[self._at : self._at + len(data)] = data[: max(0, HEAD - self._at)]
        super().write(data[self._size - self._at :])
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at
