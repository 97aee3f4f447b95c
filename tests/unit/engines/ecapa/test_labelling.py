"""Voices to turns: the likeliest voice of each window, names of known speakers, numbers in order."""

from __future__ import annotations

import numpy as np
from unit.engines.ecapa.test_clustering import heard, voices

from speechmlx.engines.ecapa.clustering import Cluster, single
from speechmlx.engines.ecapa.labelling import label, named, turns
from speechmlx.engines.ecapa.speech import Stretch
from speechmlx.engines.ecapa.windows import windows


def cluster(voice: np.ndarray, seed: int = 0) -> Cluster:
    return single(heard(voice, 1, 6.0, seed), np.array([6.0]))[0]


def test_each_window_has_its_likeliest_voice_and_a_doubtful_one_that_of_its_neighbours() -> None:
    one, other = voices(2)
    pair = [("", cluster(one)), ("", cluster(other, 1))]
    assert label(np.concatenate([heard(one, 5), heard(other, 4)]), pair) == [0] * 5 + [1] * 4
    doubtful = 0.52 * one + 0.48 * other
    doubtful /= np.linalg.norm(doubtful)
    assert label(np.stack([other, other, doubtful, other]), pair) == [1] * 4
    assert label(np.stack([one]), pair) == [0]


def test_voices_like_those_of_known_speakers_have_their_names() -> None:
    one, other, third = voices(3)
    known = [("Ann", cluster(one, 5)), ("Bob", cluster(third, 6))]
    assert [name for name, _ in named([cluster(one), cluster(other)], known)] == ["Ann", ""]
    assert [name for name, _ in named([cluster(one), cluster(one, 8)], known)] == ["Ann"]
    assert named([], known) == []
    assert [name for name, _ in named([cluster(one)], [])] == [""]


def test_turns_join_windows_of_one_voice_and_number_voices_as_they_are_heard() -> None:
    parts = [list(windows(Stretch(0.0, 2.5))), list(windows(Stretch(4.0, 5.0)))]
    found = list(turns(parts, [[2, 2, 1], [0]], ["0", "", ""]))
    assert [(turn.start, turn.end, turn.speaker) for turn in found] == [
        (0.0, parts[0][1].last, "1"),
        (parts[0][1].last, 2.5, "2"),
        (4.0, 5.0, "0"),
    ]
