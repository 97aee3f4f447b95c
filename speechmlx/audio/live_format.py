"""How audio is written on a live wire: headerless samples, G.711, or a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from speechmlx.audio import g711
from speechmlx.audio.mixing import mixed
from speechmlx.audio.pcm import from_pcm16, to_pcm16

if TYPE_CHECKING:
    from speechmlx.types import Samples

WIDTHS = {"pcm16": 2, "int32": 4, "float32": 4, "uint8": 1, "ulaw": 1, "alaw": 1}
"""Bytes of a sample, by encoding."""
FULL_SCALE = 2**31


@dataclass(frozen=True)
class AudioFormat:
    """Little-endian samples or G.711 at `rate` Hz, or a container with a header."""

    encoding: Literal["pcm16", "int32", "float32", "uint8", "ulaw", "alaw", "container"] = "pcm16"
    """"container": any format that `audio.sniff` knows by its content; `rate` and `channels` are the file's own."""
    rate: int = 24000
    channels: int = 1
    """Interleaved."""
    channel: int | None = None
    """The channel to use, from 0; None mixes all of them."""

    @property
    def width(self) -> int:
        """Bytes of one sample of every channel."""
        return WIDTHS[self.encoding] * self.channels

    def seconds(self, size: int) -> float:
        """How long so many bytes last; 0 for a container, which does not tell."""
        return 0.0 if self.encoding == "container" else size / self.width / self.rate

    def decode(self, data: bytes) -> Samples:
        """Whole samples of every channel → float32 [n], one channel. Not for containers."""
        samples = self._samples(data)
        if self.channels == 1:
            return samples
        channels = samples.reshape(-1, self.channels).T
        if self.channel is not None:
            return np.ascontiguousarray(channels[self.channel])
        return np.concatenate([piece for piece, _ in mixed(iter([(channels, self.rate)]))])

    def encode(self, samples: Samples) -> bytes:
        """float32 [n] → one channel. Not for containers."""
        match self.encoding:
            case "pcm16":
                return to_pcm16(samples)
            case "ulaw" | "alaw":
                return g711.encode(samples, self.encoding)
            case "float32":
                return samples.astype("<f4").tobytes()
            case "uint8":
                return (np.clip(np.round(samples * 128), -128, 127) + 128).astype(np.uint8).tobytes()
            case "int32":
                scaled = np.clip(samples.astype(np.float64) * FULL_SCALE, -FULL_SCALE, FULL_SCALE - 1)
                return scaled.astype("<i4").tobytes()
        raise ValueError("a container is no format of samples")

    def _samples(self, data: bytes) -> Samples:
        match self.encoding:
            case "pcm16":
                return from_pcm16(data)
            case "ulaw" | "alaw":
                return g711.decode(data, self.encoding)
            case "float32":
                return np.nan_to_num(np.frombuffer(data, "<f4").astype(np.float32), posinf=1.0, neginf=-1.0)
            case "uint8":
                return ((np.frombuffer(data, np.uint8) - np.float32(128)) / np.float32(128)).astype(np.float32)
            case "int32":
                return (np.frombuffer(data, "<i4") / np.float32(FULL_SCALE)).astype(np.float32)
        raise ValueError("a container is no format of samples")
