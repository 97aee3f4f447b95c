"""Speech tokens of a piece of text, once all are there → their sound: CosyVoice 1's flow sees all of them at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import mlx.core as mx
import numpy as np

from speechmlx.engines.cosyvoice.utterance_sound import FADE, Tempo, Values, faded
from speechmlx.engines.finite import finite
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.resampled_flow import ResampledFlow
from speechmlx.engines.parts.token_flow import BANDS, FlowPrompt
from speechmlx.engines.parts.vocoder_stream import VocoderStream

PIECE = 172
"""Frames of the spectrogram that are made to sound at once: two seconds."""


class WholeSound:
    """The sound of one piece of speech: the spectrogram whole, then samples of PIECE frames at a time."""

    def __init__(
        self, flow: ResampledFlow, hift: Hift, prompt: FlowPrompt, speed: float, seed: int, most: int = 0
    ) -> None:
        """`seed`: of the noise of both networks. `most` is for sounds in pieces: the flow keeps nothing."""
        self._flow, self._prompt, self._seed = flow, prompt, seed
        self._tempo, self._vocoder = Tempo(speed), VocoderStream(hift, BANDS, seed)
        self._fade = round(FADE * hift.shape.rate)
        self._frames: Values | None = None
        """Those that are not made to sound yet; None: the spectrogram is not made."""
        self.finished = False

    def is_due(self, count: int, is_whole: bool) -> bool:
        """Whether there is work: as soon as all tokens are there."""
        return is_whole and not self.finished

    def piece(self, tokens: Sequence[int], is_whole: bool) -> Generator[None, None, Values]:
        """The samples of the next piece, in bounded steps. `tokens`: all of them."""
        if self._frames is None:
            mel = yield from self._flow.spectrogram(self._prompt, tokens, self._seed)
            self._frames = finite(np.array(mel.astype(mx.float32)), "the synthesis of a spectrogram")
            yield
        piece, self._frames = self._frames[:PIECE], self._frames[PIECE:]
        self.finished = not len(self._frames)
        frames = self._tempo.push(piece, self.finished)
        samples = yield from self._vocoder.push(frames, self.finished)
        samples = finite(samples, "the synthesis of speech")
        return faded(samples, self._fade) if self.finished else samples
