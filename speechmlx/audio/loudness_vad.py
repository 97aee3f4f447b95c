"""Voice activity detection by loudness: the spans of a recording that may be speech, and windows of such spans.

Times are in seconds. Levels are in dB of full scale, one value per FRAME. All functions are pure.
"""

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
"""Frames below QUIETEST dB of full scale that are also DYNAMICS dB below the loudest part are not speech."""
SILENT = -120.0
"""Level of digital silence."""
UNDER_PEAK = 30.0
"""dB below the peak. Without noise, frames above this level are never silence."""
OVER_FLOOR = 6.0
"""dB over the noise floor from which on a frame may be speech."""
HUMMING = 9.0
"""dB by which a high-pass at LOWEST Hz lowers the noise floor if the floor is hum with overtones, or traffic."""
NOISE = 0.25
"""Share of frames within NOISE_SPREAD dB over the floor above which the floor is noise, even close to the peak."""
NOISE_SPREAD = 2.0
STEADY = 2.5
"""dB between loud and quiet frames below which sound is steady and not speech: hum, hiss, a tone."""
BLOCK = round(1.0 / FRAME)
"""Frames in one test for steady sound. Longer sound is tested in blocks that overlap by half."""
STEADY_GAP = 2.0
"""Minimum seconds of steady sound between unsteady parts that are left out."""
PAD = 0.2
"""Seconds added on both sides of a span."""
NEAR = 1.0
"""Seconds of silence at either end of the recording that are not cut off."""
SHORTEST_SILENCE = 0.5
"""Seconds of silence that separate two spans."""
SMOOTH = 15
"""Frames in the moving average that locates the quietest moment for a cut."""


def levels(samples: Samples, rate: int, lowest: float = RUMBLE) -> NDArray[np.float32]:
    """Loudness of each FRAME of `samples` [n] above `lowest` Hz, in dB of full scale."""
    size = round(rate * FRAME)
    frames = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    return decibels(frames - low(frames, rate, lowest))


def speech_levels(samples: Samples, rate: int) -> NDArray[np.float32]:
    """`levels` of a whole recording, high-passed at LOWEST Hz if hum makes up most of the noise floor."""
    every, above = levels(samples, rate), levels(samples, rate, LOWEST)
    return above if np.percentile(every, 10) - np.percentile(above, 10) > HUMMING else every


def loud(level: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask of the frames of `level` that may be speech: well over the noise floor or, without noise, near the peak."""
    floor, peak = np.percentile(level, [10, 99])
    noisy = np.mean(level < floor + NOISE_SPREAD) > NOISE
    may_be_speech: NDArray[np.bool_] = level > max(
        SILENT,
        min(QUIETEST, peak - DYNAMICS),
        floor + OVER_FLOOR if noisy else min(floor + OVER_FLOOR, peak - UNDER_PEAK),
    )
    return may_be_speech


def is_sound(level: NDArray[np.float32]) -> bool:
    """Whether there is any sound above digital silence."""
    return bool(len(level)) and float(level.max()) > SILENT


def is_steady(level: NDArray[np.float32]) -> bool:
    """Whether `level` covers a second or more and changes less than speech does."""
    quiet, top = np.percentile(level, [10, 95])
    return bool(len(level) >= BLOCK and top - quiet < STEADY)


def unsteady(level: NDArray[np.float32], first: int, last: int) -> list[tuple[int, int]]:
    """The parts of frames [first, last) that remain when steady sound of STEADY_GAP or longer is left out."""
    if last - first <= BLOCK:
        return [] if is_steady(level[first:last]) else [(first, last)]
    starts = [*range(first, last - BLOCK, BLOCK // 2), last - BLOCK]
    lively = [start for start in starts if not is_steady(level[start : start + BLOCK])]
    parts: list[tuple[int, int]] = []
    for start in lively:
        if parts and (start - parts[-1][1]) * FRAME < STEADY_GAP:
            parts[-1] = (parts[-1][0], start + BLOCK)
        else:
            parts.append((start, start + BLOCK))
    return parts


def speech_spans(level: NDArray[np.float32]) -> list[Span]:
    """Spans that may hold speech, padded by PAD. Silence and steady sound are left out."""
    places = np.flatnonzero(loud(level)) if len(level) else np.zeros(0, np.int64)
    if len(places) == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) * FRAME > SHORTEST_SILENCE)
    starts = places[np.concatenate([[0], breaks + 1])]
    ends = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    duration = len(level) * FRAME
    spans = []
    for begun, ended in zip(starts.tolist(), ends.tolist(), strict=True):
        for first, last in unsteady(level, begun, ended):
            start, end = first * FRAME, last * FRAME
            spans.append((start - PAD if start > NEAR else 0.0, end + PAD if duration - end > NEAR else duration))
    return spans


def inside(spans: Sequence[Span], clips: Sequence[Span]) -> list[Span]:
    """The parts of `spans` inside `clips`, in order and without overlap. Without clips, all of `spans`."""
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
    """Join spans of speech, in order, into windows of at most `longest` seconds.

    A longer span is cut at the quietest moment in the last third that fits.
    """
    joined: list[Span] = []
    for start, end in spans:
        if joined and end - joined[-1][0] <= longest:
            joined[-1] = (joined[-1][0], end)
            continue
        while end - start > longest:
            middle = _quietest(level, start + longest * 2 / 3, start + longest)
            joined.append((start, middle))
            start = middle
        joined.append((start, end))
    return joined


def _quietest(level: NDArray[np.float32], start: float, end: float) -> float:
    """The quietest moment in [start, end), in seconds."""
    first, last = round(start / FRAME), round(end / FRAME)
    smooth = np.convolve(level[first:last], np.ones(SMOOTH) / SMOOTH, mode="valid")
    return (first + int(np.argmin(smooth)) + SMOOTH // 2) * FRAME
