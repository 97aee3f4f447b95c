"""From phonemes to what the vocoder takes, for one piece of text or for pieces of several requests at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.kokoro.encoder import TextEncoder


@dataclass(frozen=True)
class PieceInput:
    """A piece of text to encode."""

    tokens: mx.array
    """Ids [n], with those of the start and the end."""
    style: mx.array
    """Of the voice [1, 256]: timbre, then prosody."""
    speed: float


@dataclass(frozen=True)
class EncodedPiece:
    """Text features [t, 512], F0 in Hz [2t], energy [2t], timbre [1, 128], and the frames of each token [n]."""

    text: mx.array
    pitch: mx.array
    energy: mx.array
    timbre: mx.array
    frames: np.ndarray


def encode(encoder: TextEncoder, pieces: Sequence[PieceInput]) -> Generator[None, None, list[EncodedPiece]]:
    """Encode the pieces in bounded steps. Each comes out as it does alone. Raises NotFinite.

    The recurrences, which are many small operations, are computed for all pieces together, the rest for each. On a CPU
    that wins nothing: four recurrences of one length took 2 to 15 % less time than one after the other, and four of 30
    to 110 steps 30 to 50 % more, since all take the steps of the longest (processor time, Linux, MLX's CPU backend;
    results equal to the bit). A GPU starts a fourth of these operations; what that wins on Metal is unmeasured.
    """
    timbres, styles = zip(*(mx.split(piece.style, 2, axis=1) for piece in pieces), strict=True)
    contexts: list[mx.array] = []
    for piece in pieces:
        contexts.append(encoder.context(piece.tokens))
        mx.eval(contexts[-1])
        yield
    rhythms = encoder.rhythm(contexts, styles)
    mx.eval(rhythms)
    yield
    texts = encoder.text([piece.tokens for piece in pieces])
    durations = encoder.durations(rhythms)
    mx.eval(texts, durations)
    yield
    frames = [_frames(np.array(one), piece.speed) for one, piece in zip(durations, pieces, strict=True)]
    spreads = [mx.array(np.repeat(np.arange(len(one)), one)) for one in frames]
    melodies = encoder.melody([rhythm[spread] for rhythm, spread in zip(rhythms, spreads, strict=True)])
    mx.eval(melodies)
    found: list[EncodedPiece] = []
    for number, melody in enumerate(melodies):
        pitch, energy = encoder.curves(melody, styles[number])
        text = texts[number][spreads[number]]
        mx.eval(pitch, energy, text)
        yield
        found.append(EncodedPiece(text, pitch, energy, timbres[number], frames[number]))
    return found


def _frames(durations: np.ndarray, speed: float) -> np.ndarray:
    durations = finite(durations, "the durations of the phonemes")
    return np.maximum(np.rint(durations / speed), 1).astype(np.int64)
