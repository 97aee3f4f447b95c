"""Voices of recordings: heard once, in short steps, and kept for the requests that name them again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.resample import resample
from speechmlx.engines.finite import finite
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.remembered import Remembered
from speechmlx.engines.qwen3_tts.codec import SpeechCodec
from speechmlx.engines.qwen3_tts.prefixes import VoicePrefixes
from speechmlx.engines.qwen3_tts.speaker_encoder import VoiceEncoder
from speechmlx.errors import Unsupported
from speechmlx.types import ReferenceVoice

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 24000
KEPT = 16
"""Voices that are kept, those used last."""
FRAMES = 4
"""Frames of a recording that the codec's decoder hears in one call."""
CALLS = 8
"""Calls in one step."""


@dataclass(frozen=True)
class ClonedVoice:
    """What the model knows of a recording."""

    vector: mx.array
    """[hidden]"""
    frames: NDArray[np.int32] | None
    """[groups, n], where the recording's text is known."""
    heard: StreamRows | None
    """The codec's decoder behind these frames, so that speech goes on where the recording ends."""

    @property
    def nbytes(self) -> int:
        frames = 0 if self.frames is None else self.frames.nbytes
        return self.vector.nbytes + frames + (self.heard.nbytes if self.heard else 0)


class VoiceShelf:
    """The voices of one Base model."""

    def __init__(self, codec: SpeechCodec, encoder: VoiceEncoder | None) -> None:
        self._codec, self._encoder = codec, encoder
        self._kept = Remembered[ClonedVoice](KEPT)
        self.prefixes = VoicePrefixes()
        """What the talker has read of them."""

    @property
    def nbytes(self) -> int:
        return sum(voice.nbytes for voice in self._kept.values()) + self.prefixes.nbytes

    def clear(self) -> None:
        self._kept.clear()
        self.prefixes.clear()

    def hear(self, voice: ReferenceVoice) -> Generator[None, None, ClonedVoice]:
        """Hear a recording in short steps; at once where it was heard before. Raises NotFinite."""
        return self._kept.get_in_steps((voice.id, bool(voice.text.strip())), lambda: self._hear(voice))

    def _hear(self, voice: ReferenceVoice) -> Generator[None, None, ClonedVoice]:
        if self._encoder is None:
            raise Unsupported("this model cannot imitate the voice of a recording")
        samples: Samples = resample(voice.audio.samples, voice.audio.rate, RATE)
        vector = yield from self._encoder.pieces(samples)
        finite(np.array(vector.astype(mx.float32)), "the speaker encoder")
        yield None
        if not voice.text.strip():
            return ClonedVoice(vector, None, None)
        if self._codec.encoder is None:
            raise Unsupported("this model's codec cannot hear a recording: its encoder is missing")
        frames = yield from self._codec.encoder.pieces(samples)
        yield None
        heard = self._codec.decoder.open(1)
        yield from self._decode(frames, heard)
        return ClonedVoice(vector, frames, heard)

    def _decode(self, frames: NDArray[np.int32], state: StreamRows) -> Iterator[None]:
        """Take the codec's decoder over `frames`, whose sound is known. Raises NotFinite."""
        for call, at in enumerate(range(0, frames.shape[1], FRAMES), 1):
            samples = self._codec.decoder.step(mx.array(frames[None, :, at : at + FRAMES]), state)
            mx.eval(samples, state.arrays)
            finite(np.array(samples), "the codec's decoder")
            if call % CALLS == 0:
                yield None
