"""Where a recording is worth decoding: pure rules on loudness, and windows made from spans of speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio.loudness import LOWEST, RUMBLE, decibels, low

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

Span = tuple[float, float]
"""(start, end) in seconds."""

FRAME = 0.02
"""Seconds per loudness value."""
QUIETEST, DYNAMICS = -65.0, 45.0
"""dB of full scale under which nothing is heard, and dB under the loudest where nothing is as loud as that."""
SILENT = -120.0
"""dB of full scale at which there is no sound at all."""
UNDER_PEAK = 30.0
"""Nothing closer than this many dB to the loudest part is silence."""
OVER_FLOOR = 6.0
HUMMING = 9.0
"""dB of the floor that are under LOWEST, from which on it is hum with its overtones, or traffic."""
NOISE = 0.25
"""Share of frames within NOISE_SPREAD dB over the floor from which the floor is noise, however close to the peak."""
NOISE_SPREAD = 2.0
STEADY = 2.5
"""dB between loud and quiet frames of sound that does not change as speech does: hum, hiss, a tone."""
BLOCK = round(1.0 / FRAME)
"""Frames judged steady or not; a long sound is judged block by block, each half over the one before."""
STEADY_GAP = 2.0
"""Seconds of steady sound between two others that are worth leaving out."""
PAD = 0.2
NEAR = 1.0
"""Seconds of silence at either end of the recording not worth cutting off."""
SHORTEST_SILENCE = 0.5
SMOOTH = 15
"""Frames averaged to find the quietest place to cut."""


def levels(samples: Samples, rate: int, lowest: float = RUMBLE) -> NDArray[np.float32]:
    """Loudness of each FRAME of `samples` [n] in dB of full scale, of what is above `lowest` Hz."""
    size = round(rate * FRAME)
    frames = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    return decibels(frames - low(frames, rate, lowest))


def speech_levels(samples: Samples, rate: int) -> NDArray[np.float32]:
    """`levels` of a whole recording, measured above the overtones of hum where they are most of its floor."""
    every, above = levels(samples, rate), levels(samples, rate, LOWEST)
    return above if np.percentile(every, 10) - np.percentile(above, 10) > HUMMING else every


def loud(level: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames of `level` may be speech: not near the floor, or, where no noise is, not far under the loudest."""
    floor, peak = np.percentile(level, [10, 99])
    noisy = np.mean(level < floor + NOISE_SPREAD) > NOISE
    found: NDArray[np.bool_] = level > max(
        SILENT,
        min(QUIETEST, peak - DYNAMICS),
        floor + OVER_FLOOR if noisy else min(floor + OVER_FLOOR, peak - UNDER_PEAK),
    )
    return found


def is_sound(level: NDArray[np.float32]) -> bool:
    """Whether there is anything to hear at all."""
    return bool(len(level)) and float(level.max()) > SILENT


def is_steady(level: NDArray[np.float32]) -> bool:
    """A second or more, as steady as no speech is."""
    quiet, top = np.percentile(level, [10, 95])
    return bool(len(level) >= BLOCK and top - quiet < STEADY)


def unsteady(level: NDArray[np.float32], first: int, last: int) -> list[tuple[int, int]]:
    """What of the sound in frames [first, last) is not steady for STEADY_GAP or longer."""
    if last - first <= BLOCK:
        return [] if is_steady(level[first:last]) else [(first, last)]
    starts = [*range(first, last - BLOCK, BLOCK // 2), last - BLOCK]
    lively = [start for start in starts if not is_steady(level[start : start + BLOCK])]
    found: list[tuple[int, int]] = []
    for start in lively:
        if found and (start - found[-1][1]) * FRAME < STEADY_GAP:
            found[-1] = (found[-1][0], start + BLOCK)
        else:
            found.append((start, start + BLOCK))
    return found


def speech_spans(level: NDArray[np.float32]) -> list[Span]:
    """Spans that may hold speech, padded; what is left out is silent, or steady."""
    places = np.flatnonzero(loud(level)) if len(level) else np.zeros(0, np.int64)
    if len(places) == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) * FRAME > SHORTEST_SILENCE)
    starts = places[np.concatenate([[0], breaks + 1])]
    ends = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    duration = len(level) * FRAME
    found = []
    for begun, ended in zip(starts.tolist(), ends.tolist(), strict=True):
        for first, last in unsteady(level, begun, ended):
            start, end = first * FRAME, last * FRAME
            found.append((start - PAD if start > NEAR else 0.0, end + PAD if duration - end > NEAR else duration))
    return found


def inside(spans: Sequence[Span], clips: Sequence[Span]) -> list[Span]:
    """What of `spans` lies in `clips`, in order and once however clips overlap; everything where there are none."""
    if not clips:
        return list(spans)
    joined: list[Span] = []
    for start, end in sorted(clips):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    cut = [(max(start, first), min(end, last)) for start, end in spans for first, last in joined]
    return [(start, end) for start, end in cut if start < end]


def windows(spans: Sequence[Span], level: NDArray[np.float32], longest: float) -> list[Span]:
    """Spans of speech joined into as few windows of at most `longest` seconds as order allows.

    A span that is too long is cut where it is quietest in the last third that fits.
    """
    found: list[Span] = []
    for start, end in spans:
        if found and end - found[-1][0] <= longest:
            found[-1] = (found[-1][0], end)
            continue
        while end - start > longest:
            middle = _quietest(level, start + longest * 2 / 3, start + longest)
            found.append((start, middle))
            start = middle
        found.append((start, end))
    return found


def _quietest(level: NDArray[np.float32], start: float, end: float) -> float:
    first, last = round(start / FRAME), round(end / FRAME)
    smooth = np.convolve(level[first:last], np.ones(SMOOTH) / SMOOTH, mode="valid")
    return (first + int(np.argmin(smooth)) + SMOOTH // 2) * FRAME
