"""The recording whose voice F5-TTS imitates: cut, made loud enough, and as a spectrogram; and how long a text takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.audio.resample import resample
from speechmlx.engines.parts.vocos import FFT, HOP, RATE, log_mel
from speechmlx.errors import BadRequest
from speechmlx.reading.sentences import clauses

if TYPE_CHECKING:
    from speechmlx.types import Audio, Samples

LONGEST = 15.0
"""Seconds of a recording: the network was trained on up to 30 s, of which the recording is a part."""
WHOLE = 22.0
"""Seconds of the recording and what is said after it, about, at most."""
TYPICAL = 0.1
"""Root mean square of a recording that is loud enough."""
SILENT = 10 ** (-42 / 20)
"""Root mean square of a piece of 10 ms, below which an edge of a recording is cut off."""
PIECE, PAD = RATE // 100, RATE // 20
"""Samples of such a piece, and of the silence behind the recording."""
SHORT, SLOWLY = 10, 0.3
"""Texts of fewer bytes are said at this speed: they would be swallowed else."""
FEWEST, MOST = 2.0, 60.0
"""Bytes of text per second of a recording: outside of these they do not belong together."""


@dataclass(frozen=True)
class ReferenceMel:
    """A recording, ready to be gone on with."""

    mel: mx.array
    """[1 + frames, bands]."""
    frames: int
    text: str
    """What is said in it, with a stop and a blank at its end."""
    gain: float
    """By which the recording was made louder; what is made of it is made quieter by it."""
    room: int
    """Bytes of text that may follow at speed 1."""

    def pieces(self, text: str, speed: float) -> list[str]:
        """Cut a text into pieces that may follow the recording: sentences, where some are too long clauses or words."""
        most = max(1.0, self.room * speed)
        return [piece.strip() for piece in clauses(text, most, lambda part: len(part.encode()))]

    def length(self, text: str, speed: float) -> int:
        """Frames of the recording and of `text` after it, as long per byte as the recording's text is."""
        size = len(text.encode())
        slowed = SLOWLY if size < SHORT else speed
        return self.frames + int(self.frames / len(self.text.encode()) * size / slowed)


def prepared_voice(audio: Audio, text: str) -> ReferenceMel:
    """Raises BadRequest for a recording without a sound or a text, or where they do not fit each other."""
    if not any(letter.isalnum() for letter in text):
        raise BadRequest(
            "F5-TTS must know what is said in the recording: send its words too, as 'prompt_text' with "
            "'prompt_speech', or as the text of a stored voice"
        )
    if audio.duration > LONGEST:
        raise BadRequest(
            f"the voice's recording has {audio.duration:.1f} s; F5-TTS imitates {LONGEST:g} s at most, 5 to 10 are "
            "good: send a part of it, and the words of that part"
        )
    samples = _cut(audio)
    loudness = math.sqrt(float(np.mean(np.square(samples)))) if len(samples) else 0.0
    gain = TYPICAL / loudness if 0 < loudness < TYPICAL else 1.0
    if len(samples) <= FFT + PAD or not loudness:
        raise BadRequest("the voice's recording has no sound that is loud enough to imitate")
    seconds = len(samples) / RATE
    said = _ended(text.strip())
    rate = len(said.encode()) / seconds
    if not FEWEST <= rate <= MOST:
        raise BadRequest(
            f"the text does not belong to the voice's recording: {seconds:.1f} s of sound for {text.strip()[:60]!r}"
        )
    mel = mx.array(log_mel((samples * gain).astype(np.float32)))
    closed = said + " " if said[-1].isascii() else said
    return ReferenceMel(mel, len(samples) // HOP, closed, gain, int(rate * (WHOLE - seconds)))


def _cut(audio: Audio) -> Samples:
    """The samples at RATE without silence at the edges, and PAD of it at the end."""
    samples = resample(np.nan_to_num(audio.samples), audio.rate, RATE)
    pieces = samples[: len(samples) // PIECE * PIECE].reshape(-1, PIECE)
    loud = np.flatnonzero(np.sqrt(np.mean(np.square(pieces), axis=1)) >= SILENT)
    if not len(loud):
        return np.zeros(0, np.float32)
    end = len(samples) if loud[-1] == len(pieces) - 1 else (int(loud[-1]) + 1) * PIECE
    return np.pad(samples[int(loud[0]) * PIECE : end], (0, PAD))


def _ended(text: str) -> str:
    """`text` with a full stop and a blank, or that of Chinese: the network takes it as the end of what was said."""
    if text.endswith("。"):
        return text
    return f"{text} " if text.endswith(".") else f"{text}. "
