"""Dialogues made of recorded clips and of sentences that Kokoro spoke, and who speaks when in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import soundfile
from asr_material import RATE, SENTENCES, clip, say
from support import clips

from speechmlx.types import SpeakerTurn

VOICES = ("af_heart", "am_michael", "bf_emma", "bm_george", "af_sarah", "am_puck", "bm_fable", "af_aoede")
SENTENCES_EACH = 5
CLIPS = ("jfk", "beckett", "librispeech", "librispeech-2")
ALONE = (
    ("Diane", 11.1, 14.4),
    ("Diane", 18.65, 21.45),
    ("Sheila", 14.75, 17.9),
    ("Sheila", 21.85, 24.0),
    ("Sheila", 24.06, 27.8),
)
"""Speaker, start and end in seconds of parts of the conversation where one of the two talks alone."""
QUIET, OVER_NOISE = 0.03, 4.0
"""A frame of 20 ms is a pause under this share of the loudest level, and under this many times the quietest one."""
FRAME = RATE // 50
PAUSE = 0.3
"""Seconds of the longest pause inside a turn of the reference."""
SHORTEST = 0.4
"""Seconds of the shortest piece of a clip."""


@dataclass(frozen=True)
class Dialogue:
    """Mono float32 `samples` at RATE and the turns in them."""

    samples: np.ndarray
    turns: tuple[SpeakerTurn, ...]

    @property
    def speakers(self) -> int:
        return len({turn.speaker for turn in self.turns})


def conversation() -> Dialogue:
    """Two people on the telephone, as they were recorded."""
    samples, _ = soundfile.read(clips.path("conversation"), dtype="float32")
    return Dialogue(samples, tuple(SpeakerTurn(*turn) for turn in clips.CONVERSATION))


@cache
def pieces() -> dict[str, list[np.ndarray]]:
    """What each speaker has to say: samples from the first to the last sound of a piece."""
    wanted = [
        (voice, SENTENCES[(first * SENTENCES_EACH + i) % len(SENTENCES)])
        for first, voice in enumerate(VOICES)
        for i in range(SENTENCES_EACH)
    ]
    found: dict[str, list[np.ndarray]] = {}
    for (voice, _), samples in zip(wanted, say(wanted), strict=True):
        start, end = _speech(samples)[0][0], _speech(samples)[-1][1]
        found.setdefault(voice, []).append(samples[round(start * RATE) : round(end * RATE)])
    for name in CLIPS:
        samples = clip(name).samples
        stretches = [(round(a * RATE), round(b * RATE)) for a, b in _speech(samples) if b - a >= SHORTEST]
        found[name] = [samples[a:b] for a, b in stretches]
    for name, start, end in ALONE:
        found.setdefault(name, []).append(conversation().samples[round(start * RATE) : round(end * RATE)])
    return found


def dialogue(draw: np.random.Generator, speakers: int, turns: int, overlap: float = 0.0) -> Dialogue:
    """`speakers` voices drawn from `pieces()` talk in turn, with pauses of 0.1 to 0.9 s.

    A share of `overlap` of the turns begins up to 0.8 s before the last one ends. A third of the turns is cut to 1 to 3
    seconds. Nobody says a piece twice: who has said everything is silent, and the dialogue ends when all are.
    """
    said = {str(name): list(pieces()[str(name)]) for name in draw.choice(sorted(pieces()), speakers, replace=False)}
    track, truth, end, last = np.zeros(0, np.float32), [], 0, ""
    for turn in range(turns):
        others = [name for name, left in said.items() if left and name != last]
        if not others:
            break
        last = list(said)[turn] if turn < speakers else str(draw.choice(others))
        piece = said[last].pop(0)
        if draw.random() < 1 / 3:
            piece = piece[: round(draw.uniform(1.0, 3.0) * RATE)]
        gap = -draw.uniform(0.3, 0.8) if turn and draw.random() < overlap else draw.uniform(0.1, 0.9)
        start = max(0, end + round(gap * RATE))
        end = start + len(piece)
        track = np.pad(track, (0, max(0, end - len(track))))
        track[start:end] += piece * draw.uniform(0.6, 1.0)
        truth += [SpeakerTurn(start / RATE + a, start / RATE + b, last) for a, b in _speech(piece)]
    noise = draw.standard_normal(len(track)).astype(np.float32) * 1e-4
    return Dialogue(np.clip(track + noise, -1, 1), tuple(truth))


def _speech(samples: np.ndarray) -> list[tuple[float, float]]:
    """Start and end in seconds of each stretch of sound without a pause longer than PAUSE."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    levels = np.sqrt(np.square(frames).mean(1))
    loudest, noise = np.percentile(levels, 98), np.percentile(levels, 5)
    loud = np.flatnonzero(levels > max(QUIET * loudest, min(OVER_NOISE * noise, loudest / 4)))
    breaks = np.flatnonzero(np.diff(loud) * FRAME > PAUSE * RATE)
    firsts, lasts = np.r_[0, breaks + 1], np.r_[breaks, len(loud) - 1]
    return [(loud[a] * FRAME / RATE, (loud[b] + 1) * FRAME / RATE) for a, b in zip(firsts, lasts, strict=True)]
