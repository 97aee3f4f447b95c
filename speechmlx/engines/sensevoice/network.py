"""SenseVoiceSmall: a SAN-M encoder whose first four frames ask for language, emotion, event and the way of writing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.engines.finite import finite
from speechmlx.engines.parts.pace import Layer, LayerPace
from speechmlx.engines.parts.recordings import SpeechClip
from speechmlx.engines.parts.sanm import RowLengths, SanmEncoder, SanmLayers, pad_rows

EPSILON = 1e-5
BLANK = 0
ASKED = 4
"""Frames before those of the sound: they ask for the language, the emotion, the event and the way of writing."""
LANGUAGES: Mapping[str | None, int] = {None: 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
"""Rows of the embedding that ask for a language; of None, whichever is spoken."""
EVENT_AND_EMOTION = (1, 2)
WRITTEN = 14
"""Row that asks for text as it is written, with punctuation and digits."""
STAGE = "the recognition of speech"


@dataclass(frozen=True)
class ClipPieces:
    """What is said in a clip: pieces of words, the frame of 60 ms from which on and before which each sounds."""

    pieces: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Mean logarithm of the probability of each piece over its frames."""
    answers: tuple[int, ...]
    """The pieces that answer what was asked for."""


class SenseVoiceNetwork:
    """Recognises clips."""

    def __init__(self, weights: Mapping[str, mx.array], heads: int) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._layers = SanmLayers(weights, EPSILON)
        self._encoder = SanmEncoder(self._layers, heads)
        self._questions = np.array(weights["embed.weight"])

    def recognise(
        self, clips: Sequence[SpeechClip[ClipPieces]], pace: LayerPace
    ) -> Generator[None, None, list[ClipPieces]]:
        """The pieces of each clip. A batch gives those that each clip gives alone, but for rounding."""
        scores, lengths = yield from self.scores(clips, pace)
        best, sure = mx.argmax(scores, axis=2), mx.max(scores, axis=2) - mx.logsumexp(scores, axis=2)
        places, chances = np.array(best), finite(np.array(sure), STAGE)
        return [
            collapsed(row[:length].tolist(), chance[:length].tolist())
            for row, chance, length in zip(places, chances, lengths, strict=True)
        ]

    def scores(
        self, clips: Sequence[SpeechClip[ClipPieces]], pace: LayerPace
    ) -> Generator[None, None, tuple[mx.array, list[int]]]:
        """Scores of all pieces [b, frames, pieces], and how many of the frames are those of each clip."""
        asked = [self._asked(clip.request.language) for clip in clips]
        seen = [np.concatenate([questions, clip.features]) for questions, clip in zip(asked, clips, strict=True)]
        lengths = [len(row) for row in seen]
        scoring: Layer = partial(self._layers.linear, name="ctc.ctc_lo")
        layers = [*self._encoder.layers(RowLengths.of(lengths)), scoring]
        return (yield from pace.run(layers, self._encoder.embed(pad_rows(seen)))), lengths

    def _asked(self, language: str | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        code = languages.code(language)
        return self._questions[[LANGUAGES[code], *EVENT_AND_EMOTION, WRITTEN]]


def collapsed(best: Sequence[int], logprobs: Sequence[float]) -> ClipPieces:
    """The best piece of each frame → the pieces that are said: repeated ones are one, blanks are none."""
    pieces, starts, ends = list[int](), list[int](), list[int]()
    chances = list[float]()
    before = BLANK
    for place, (piece, logprob) in enumerate(zip(best[ASKED:], logprobs[ASKED:], strict=True)):
        if piece == before and piece != BLANK:
            chances[-1] += logprob
            ends[-1] = place + 1
        elif piece != BLANK:
            pieces.append(piece)
            starts.append(place)
            ends.append(place + 1)
            chances.append(logprob)
        before = piece
    means = tuple(chance / (end - start) for chance, start, end in zip(chances, starts, ends, strict=True))
    return ClipPieces(tuple(pieces), tuple(starts), tuple(ends), means, tuple(best[:ASKED]))
