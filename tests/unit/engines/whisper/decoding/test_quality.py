"""Cutting a window at its timestamps, for tables and for any tokens at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.whisper.decoding.quality import (
    LOOP_SPAN,
    Cut,
    Piece,
    compression_ratio,
    cut,
    is_looping,
    is_made_up,
    is_silent,
    is_unsure,
    without_loop,
)

T = 1000
"""The first timestamp; ids below are text."""


@pytest.mark.parametrize(
    ("tokens", "frames", "expected"),
    [
        # One closed segment, and nothing after it.
        ([T, 1, 2, T + 100], 3000, Cut((Piece(0, 4, 0, 200),), 3000)),
        # Two segments, the second open: it is decoded again from its beginning.
        ([T, 1, T + 100, T + 100, 2, 3], 3000, Cut((Piece(0, 3, 0, 200),), 200)),
        # Two segments, both closed.
        ([T, 1, T + 50, T + 60, 2, T + 90], 3000, Cut((Piece(0, 3, 0, 100), Piece(3, 6, 120, 180)), 3000)),
        # No timestamp but the first.
        ([T, 1, 2], 500, Cut((Piece(0, 3, 0, 500),), 500)),
        ([], 500, Cut((Piece(0, 0, 0, 500),), 500)),
        # A time beyond the audio is the end of the audio.
        ([T, 1, T + 1400, T + 1400, 2], 500, Cut((Piece(0, 3, 0, 500),), 500)),
        # Times that go back are held.
        ([T + 90, 1, T + 80, T + 70, 2, T + 75], 3000, Cut((Piece(0, 3, 180, 180), Piece(3, 6, 180, 180)), 3000)),
        # Nothing but the beginning twice must not stand still.
        ([T, T, 1], 3000, Cut((Piece(0, 1, 0, 0),), 3000)),
    ],
)
def test_cut(tokens: list[int], frames: int, expected: Cut) -> None:
    assert cut(tokens, T, frames) == expected


@given(
    st.lists(st.one_of(st.integers(0, 20), st.integers(T, T + 1500)), max_size=40),
    st.integers(1, 3000),
)
def test_times_are_monotonic_inside_and_always_move_on(tokens: list[int], frames: int) -> None:
    found = cut(tokens, T, frames)
    times = [time for piece in found.pieces for time in (piece.start, piece.end)]
    assert times == sorted(times)
    assert all(0 <= time <= frames for time in times)
    assert 0 < found.advance <= frames
    edges = [edge for piece in found.pieces for edge in (piece.first, piece.last)]
    assert edges == sorted(edges) and all(0 <= edge <= len(tokens) for edge in edges)
    assert all(piece.start < frames for piece in found.pieces)


def test_repetition_compresses_and_speech_does_not() -> None:
    assert compression_ratio("") == 0
    assert compression_ratio("Ask not what your country can do for you.") < 1.5
    assert compression_ratio("you know " * 40) > 10


@pytest.mark.parametrize(
    ("logprob", "no_speech", "looped", "unsure", "silent"),
    [
        (-0.3, 0.1, False, False, False),
        (-1.1, 0.1, False, True, False),
        (-0.3, 0.1, True, True, False),
        (-1.1, 0.9, False, False, True),
        (-1.1, 0.9, True, False, True),
        (-0.3, 0.9, False, False, False),
    ],
)
def test_trust(logprob: float, no_speech: float, looped: bool, unsure: bool, silent: bool) -> None:
    assert is_unsure(logprob, no_speech, looped) is unsure
    assert is_silent(no_speech, logprob) is silent


@pytest.mark.parametrize(
    ("no_speech", "logprob", "made_up"),
    [
        (0.46, -1.2, True),  # "Thank you." over music
        (0.81, -0.99, True),  # the same over noise
        (0.66, -0.9, True),  # a sentence over beeps
        (0.68, -0.67, False),  # a sentence in babble as loud as it
        (0.25, -1.11, False),  # one in babble louder than it
        (0.16, -0.65, False),
    ],
)
def test_what_is_made_up(no_speech: float, logprob: float, made_up: bool) -> None:
    assert is_made_up(no_speech, logprob) is made_up


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.lists(st.integers(), max_size=9))
def test_a_repeated_phrase_is_a_loop(phrase: list[int], before: list[int]) -> None:
    assert is_looping(before + phrase * LOOP_SPAN)
    assert not is_looping(before + phrase)


def test_a_loop_is_said_once() -> None:
    assert without_loop([7, 8, *[1, 2, 3] * 20]) == 5
    assert without_loop([7, 8, *[1, 2, 3] * 20, 1]) == 5
    assert without_loop([4] * LOOP_SPAN) == 1
    assert without_loop([7, 8, 1, 2, 3]) == 5


def test_counting_is_no_loop() -> None:
    assert not is_looping(list(range(200)))
    assert not is_looping([1, 2, 3, 4, 5, 6, 7, 8, 9] * 20)
