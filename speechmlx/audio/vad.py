"""From probabilities of speech to spans of speech: pure, no model here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from speechmlx.types import Probability

Span = tuple[float, float]
"""(start, end) in seconds."""

SLACK = 1e-6
"""Seconds: times are floats, and a tenth taken three times is not three tenths."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What counts as speech; times in seconds. The defaults are those Silero was tuned with."""

    threshold: float = 0.5
    """Speech begins in a frame at least this probable,"""
    release: float = 0.35
    """and ends with the first of `min_silence` of frames none of which reaches `threshold`, less probable than this."""
    min_silence: float = 0.1
    min_speech: float = 0.25
    """Shorter spans are dropped."""
    pad: float = 0.03
    """Added at both ends where there is room: neighbours closer than twice this meet in the middle."""

    def __post_init__(self) -> None:
        if not 0 <= self.release <= self.threshold <= 1:
            raise ValueError(f"0 <= release {self.release} <= threshold {self.threshold} <= 1 does not hold")
        if min(self.min_silence, self.min_speech, self.pad) < 0:
            raise ValueError("min_silence, min_speech and pad cannot be negative")


DEFAULT = Rules()


def speech_spans(frames: Iterable[Probability], rules: Rules = DEFAULT) -> list[Span]:
    """Frames in order, each beginning where the last ended → spans of speech: in order, apart, inside the recording."""
    frames = list(frames)
    found = [span for span in _bare(frames, rules) if span[1] - span[0] >= rules.min_speech - SLACK]
    return _padded(found, rules.pad, frames[0].start, frames[-1].end) if found else []


def _bare(frames: Iterable[Probability], rules: Rules) -> Iterator[Span]:
    start: float | None = None
    quiet: float | None = None
    end = 0.0
    for frame in frames:
        end = frame.end
        if frame.value >= rules.threshold:
            start = frame.start if start is None else start
            quiet = None
        elif start is not None and frame.value < rules.release:
            quiet = frame.start if quiet is None else quiet
        if start is not None and quiet is not None and end - quiet >= rules.min_silence - SLACK:
            yield start, quiet
            start = quiet = None
    if start is not None:
        yield start, end if quiet is None else quiet


def _padded(spans: list[Span], pad: float, first: float, last: float) -> list[Span]:
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(spans)]
    floors, ceilings = [first, *middles], [*middles, last]
    return [
        (max(start - pad, floor), min(end + pad, ceiling))
        for (start, end), floor, ceiling in zip(spans, floors, ceilings, strict=True)
    ]
