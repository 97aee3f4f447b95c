"""The live stream on loudness in place of speech detection, and on levels in place of voices."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.engines.ecapa.features import RATE
from speechmlx.engines.ecapa.online import OnlineSpeakers
from speechmlx.engines.ecapa.stream import KEPT, DiarizationStream
from speechmlx.types import Probability, SpeakerTurn, Usage

FRAME = 512
LEVELS = (0.2, 0.6)
"""The level that each of two voices speaks at."""


class LoudnessDetector:
    """Speech is what is loud, in frames of 512 samples."""

    def __init__(self) -> None:
        self.rest = np.zeros(0, np.float32)
        self.frames = 0

    def feed(self, samples: np.ndarray) -> Iterator[Probability | None]:
        self.rest = np.concatenate([self.rest, samples])
        while len(self.rest) >= FRAME:
            frame, self.rest = self.rest[:FRAME], self.rest[FRAME:]
            start, self.frames = self.frames, self.frames + 1
            loud = float(np.abs(frame).mean() > 0.05)
            yield Probability(loud, start * FRAME / RATE, self.frames * FRAME / RATE)
        yield None

    def finish(self) -> Iterator[Probability | None]:
        return iter(())


def voice(samples: np.ndarray) -> np.ndarray:
    """The share of each level in a window, as an embedding of length 1."""
    shares = np.array([np.isclose(samples, level).mean() + 1e-3 for level in LEVELS], np.float32)
    return shares / np.linalg.norm(shares)


def prepare() -> Generator[None, None, OnlineSpeakers]:
    yield None
    return OnlineSpeakers()


def audio(*parts: tuple[int, float]) -> np.ndarray:
    """Parts of (voice, seconds) one after another; voice -1 is silence."""
    return np.concatenate(
        [np.full(round(seconds * RATE), 0.0 if who < 0 else LEVELS[who], np.float32) for who, seconds in parts]
    )


def follow(samples: np.ndarray, pieces: list[int]) -> tuple[DiarizationStream, list[SpeakerTurn]]:
    """The turns, which must tile time to the last sample."""
    detector: Any = LoudnessDetector()
    stream = DiarizationStream(voice, detector, prepare())
    events = []
    for start, end in pairwise([0, *np.minimum(np.cumsum(pieces), len(samples)).tolist(), len(samples)]):
        events += [event for event in stream.feed(samples[start:end]) if event]
    events += [event for event in stream.finish() if event]
    stream.close()
    assert events.pop() == Usage(audio_in=len(samples) / RATE)
    turns = [event for event in events if isinstance(event, SpeakerTurn)]
    edges = [0.0, *(turn.end for turn in turns)]
    assert [turn.start for turn in turns] == edges[:-1] and len(turns) == len(events)
    assert edges[-1] == pytest.approx(len(samples) / RATE, abs=1e-4)
    return stream, turns


def runs(turns: list[SpeakerTurn]) -> list[tuple[str, float]]:
    """(speaker, end) of each run of turns of one speaker."""
    return [
        (turn.speaker, turn.end)
        for turn, after in pairwise([*turns, SpeakerTurn(0.0, 0.0, "none")])
        if turn.speaker != after.speaker
    ]


def test_who_speaks_when() -> None:
    samples = audio((-1, 1.0), (0, 3.0), (1, 3.0), (-1, 2.0), (0, 0.3), (-1, 1.0))
    _, turns = follow(samples, [1600] * 200)
    expected = [("", 1.0), ("0", 4.0), ("1", 7.0), ("", 9.0), ("0", 9.3), ("", 10.3)]
    assert [speaker for speaker, _ in runs(turns)] == [speaker for speaker, _ in expected]
    assert [end for _, end in runs(turns)] == pytest.approx([end for _, end in expected], abs=0.5)


@settings(deadline=None, max_examples=40)
@given(
    parts=st.lists(st.tuples(st.integers(-1, 1), st.floats(0.05, 4.0)), max_size=6),
    pieces=st.lists(st.integers(0, 40_000), max_size=10),
)
def test_pieces_do_not_matter(parts: list[tuple[int, float]], pieces: list[int]) -> None:
    samples = audio(*parts, (-1, 0.01))
    _, at_once = follow(samples, [])
    stream, turns = follow(samples, pieces)
    assert runs(turns) == runs(at_once)
    assert len(stream._audio) <= len(samples)


def test_memory_does_not_grow_with_the_stream() -> None:
    stream, _ = follow(audio(*[(0, 5.0), (1, 5.0), (-1, 5.0)] * 4), [1600] * 1000)
    assert len(stream._audio) < (KEPT + 1) * RATE
