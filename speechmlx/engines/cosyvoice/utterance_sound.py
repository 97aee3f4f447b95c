"""Speech tokens that are still being generated → their sound, in pieces: flow, tempo and vocoder."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.finite import finite
from speechmlx.engines.parts.hift import Hift
from speechmlx.engines.parts.look_ahead import AHEAD
from speechmlx.engines.parts.token_flow import BANDS, CHUNK, FlowPrompt, FlowStream, TokenFlow
from speechmlx.engines.parts.vocoder_stream import VocoderStream

Values = NDArray[np.float32]

MOST_CHUNKS = 4
"""Chunks of a piece. The first has one, each next one twice as many as the one before."""
FADE = 0.04
"""Seconds at the end that fade out: the vocoder may end in a noise."""


class Tempo:
    """Frames of a spectrogram → those of speech that is `speed` times as fast: pieces give what the whole does."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._frames = np.zeros((0, BANDS), np.float32)
        """From frame `_first` on."""
        self._first = self._given = 0

    def push(self, mel: Values, is_last: bool) -> Values:
        """mel [n, BANDS] → the frames that are known now [m, BANDS]; n / speed of all, rounded down."""
        if self._speed == 1:
            return mel
        self._frames = np.concatenate([self._frames, mel])
        known = self._first + len(self._frames)
        last = int(known / self._speed) if is_last else int((known - 0.5) / self._speed - 0.5)
        places = (np.arange(self._given, max(last, self._given)) + 0.5) * self._speed - 0.5
        before = np.clip(np.floor(places).astype(int), 0, max(known - 1, 0))
        after = np.minimum(before + 1, max(known - 1, 0))
        share = np.clip(places - before, 0, 1)[:, None].astype(np.float32)
        found = self._frames[before - self._first] * (1 - share) + self._frames[after - self._first] * share
        self._given = max(last, self._given)
        first = max(self._first, min(int(self._given * self._speed) - 2, known))
        self._frames, self._first = self._frames[first - self._first :], first
        return found


class UtteranceSound:
    """The sound of one piece of speech. More tokens change nothing of what was given, at any speed.

    When tokens come does not matter either: their number alone says where its pieces end.
    """

    def __init__(self, flow: TokenFlow, hift: Hift, prompt: FlowPrompt, speed: float, seed: int, most: int = 0) -> None:
        """`most`: bytes that may be kept of what the flow knows of the speech so far; the rest is computed again."""
        self._stream, self._before = FlowStream(flow, prompt, most), len(prompt.tokens)
        self._fade = round(FADE * hift.shape.rate)
        self._tempo, self._vocoder = Tempo(speed), VocoderStream(hift, BANDS, seed)
        self._given, self._chunks = 0, 1
        self.finished = False

    def is_due(self, count: int, is_whole: bool) -> bool:
        """Whether there is work, with `count` tokens: all of them, where `is_whole`."""
        return not self.finished and (is_whole or count >= self._end + AHEAD)

    @property
    def _end(self) -> int:
        """Tokens up to the end of the next piece, which fills its last chunk."""
        before = self._before
        return -(-(before + self._given + 1) // CHUNK) * CHUNK - before + CHUNK * (self._chunks - 1)

    def piece(self, tokens: Sequence[int], is_whole: bool) -> Generator[None, None, Values]:
        """The samples of the next piece, in bounded steps. `tokens`: all that are there."""
        end, is_last = self._end, False
        if is_whole and len(tokens) < end + AHEAD:
            end, is_last = len(tokens), True
        seen = tokens if is_last else tokens[: end + AHEAD]
        mel = yield from self._stream.push(seen, is_last)
        frames = finite(np.array(mel.astype(mx.float32)), "the synthesis of a spectrogram")
        self._given, self._chunks, self.finished = end, min(2 * self._chunks, MOST_CHUNKS), is_last
        yield
        samples = yield from self._vocoder.push(self._tempo.push(frames, is_last), is_last)
        samples = finite(samples, "the synthesis of speech")
        return faded(samples, self._fade) if is_last else samples


def faded(samples: Values, count: int) -> Values:
    """The samples, of which the last `count` fade out."""
    length = min(count, len(samples))
    end = samples[len(samples) - length :] * np.linspace(1, 0, length, dtype=np.float32)
    return np.concatenate([samples[: len(samples) - length], end])
