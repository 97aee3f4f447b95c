"""Clustering of embeddings made of voices (directions) and noise."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.ecapa import clustering
from speechmlx.engines.ecapa.clustering import Cluster, Clustering, likeness, reliability, single

SIZE = 192


def voices(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, SIZE)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def heard(voice: np.ndarray, windows: int, seconds: float = 1.5, seed: int = 1) -> np.ndarray:
    """Embeddings [windows, SIZE] of windows of a voice, as alike as `reliability` says."""
    share = float(reliability(np.array(seconds)))
    noise = np.random.default_rng(seed).standard_normal((windows, SIZE)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    mixed = share**0.5 * voice + (1 - share) ** 0.5 * noise
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def clustered(*groups: np.ndarray, seconds: float = 1.5) -> Clustering:
    found = Clustering()
    everything = np.concatenate(groups)
    order = np.random.default_rng(3).permutation(len(everything))
    for start in range(0, len(order), clustering.BLOCK):
        block = everything[order[start : start + clustering.BLOCK]]
        found.add(block, np.full(len(block), seconds, np.float32))
    return found


@pytest.mark.parametrize(("speakers", "windows"), [(1, 6), (2, 20), (5, 12), (3, 150)])
def test_each_voice_is_one_speaker(speakers: int, windows: int) -> None:
    found = clustered(*(heard(voice, windows, seed=i) for i, voice in enumerate(voices(speakers)))).speakers()
    assert sorted(cluster.windows for cluster in found) == [windows] * speakers
    assert np.isclose(sum(cluster.seconds for cluster in found), speakers * windows * 1.5)


def test_at_most_so_many_speakers_are_found() -> None:
    groups = [heard(voice, 12, seed=i) for i, voice in enumerate(voices(5))]
    assert len(clustered(*groups).speakers(2)) == 2
    assert len(clustered(*groups).speakers(9)) == 5


def test_nothing_is_nobody_and_one_window_is_somebody() -> None:
    assert Clustering().speakers() == [] == Clustering().speakers(2)
    assert len(clustered(heard(voices(1)[0], 1, 0.2), seconds=0.2).speakers()) == 1


def test_few_windows_are_a_speaker_only_if_they_are_like_nobody() -> None:
    one, other = voices(2)
    mixed = (one + other) / np.linalg.norm(one + other)
    most = clustered(heard(one, 20), heard(other, 2, seed=5))
    assert len(most.speakers()) == 2
    between = clustered(heard(one, 20), heard(other, 20, seed=5), heard(mixed, 1, seed=6))
    assert len(between.speakers()) == 2
    short = clustered(heard(one, 20, 0.5), heard(other, 1, 0.5, seed=5), seconds=0.5)
    assert len(short.speakers()) == 1


def test_likeness_is_the_cosine_of_the_voices_whatever_the_length_of_windows() -> None:
    one, other = voices(2)
    near = 0.7 * one + np.sqrt(1 - 0.49) * other
    for seconds in (0.8, 1.5, 3.0):
        pair: list[Cluster] = []
        for voice in (one, near):
            embeddings = heard(voice, 200, seconds, seed=len(pair))
            whole, *rest = single(embeddings, np.full(200, seconds, np.float32))
            for cluster in rest:
                whole.join(cluster)
            pair.append(whole)
        assert likeness(pair)[0, 1] == pytest.approx(0.7, abs=0.1)
