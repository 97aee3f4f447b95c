"""Speakers of a whole recording: windows with like embeddings are joined until what is left differs.

Joining is agglomerative with average linkage, weighted by how reliable windows of a length are. The likeness of two
clusters is an estimate of the cosine between the two voices. It needs no more of a cluster than a sum of its
embeddings, so a long recording is joined block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from speechmlx.types import Samples

SAME = 0.52
"""Likeness from which on two clusters are one speaker's."""
HALF = 1.1
"""Seconds of a window whose embedding is half voice and half what is said in it."""
FEWEST = 4
"""Windows of a cluster that is a speaker in any case."""
STRANGE, ALONE = 0.3, 1.0
"""A smaller cluster is a speaker, too, if its likeness to all is under STRANGE and it has ALONE seconds of speech."""
BLOCK = 192
"""Windows that are joined at a time."""


def reliability(seconds: Samples) -> Samples:
    """The mean cosine between embeddings of two windows of one voice, by the length of the windows [n]."""
    return seconds / (seconds + HALF)


@dataclass(eq=False)
class Cluster:
    """Windows that are one speaker's: the weighted sum of their embeddings, of their weights and of their seconds."""

    total: Samples
    weight: float
    seconds: float
    windows: int

    def join(self, other: Cluster) -> None:
        self.total = self.total + other.total
        self.weight += other.weight
        self.seconds += other.seconds
        self.windows += other.windows

    @property
    def centre(self) -> Samples:
        """The direction of the voice [d], of length 1."""
        length: Samples = self.total / max(float(np.linalg.norm(self.total)), 1e-9)
        return length


def single(embeddings: Samples, seconds: Samples) -> list[Cluster]:
    """A cluster for each window."""
    weights = reliability(seconds)
    totals = np.sqrt(weights)[:, None] * embeddings
    return [Cluster(total, float(w), float(s), 1) for total, w, s in zip(totals, weights, seconds, strict=True)]


class Clustering:
    """The clusters of the windows so far."""

    def __init__(self) -> None:
        self.clusters: list[Cluster] = []

    def add(self, embeddings: Samples, seconds: Samples) -> None:
        """Add windows: embeddings [n, d] of length 1, and their lengths [n]. n is at most BLOCK."""
        self.clusters = joined([*self.clusters, *single(embeddings, seconds)])

    def speakers(self, most: int | None = None) -> list[Cluster]:
        """The clusters that are speakers, at most `most`; small ones that are like another are left out."""
        found = [cluster for cluster in self.clusters if cluster.windows >= FEWEST]
        small = sorted((c for c in self.clusters if c.windows < FEWEST), key=lambda cluster: -cluster.seconds)
        for cluster in small:
            if not found or (cluster.seconds >= ALONE and likeness([cluster, *found])[0, 1:].max() < STRANGE):
                found.append(cluster)
        return joined(found, most) if most is not None else found


def likeness(clusters: list[Cluster]) -> Samples:
    """[n, n]: about 1 for clusters of one voice, about 0 for those of unlike voices."""
    totals, weights = np.array([c.total for c in clusters]), np.array([c.weight for c in clusters])
    like: Samples = totals @ totals.T / np.outer(weights, weights)
    return like


def joined(clusters: list[Cluster], most: int | None = None) -> list[Cluster]:
    """Join the two clusters that are most alike until none are alike, or until at most `most` are left."""
    if len(clusters) < 2:
        return clusters
    clusters = [Cluster(c.total, c.weight, c.seconds, c.windows) for c in clusters]
    totals, weights = np.array([c.total for c in clusters]), np.array([c.weight for c in clusters])
    like = likeness(clusters)
    np.fill_diagonal(like, -np.inf)
    for left in range(len(clusters), 1, -1):
        one, other = divmod(int(like.argmax()), len(clusters))
        if like[one, other] < SAME and (most is None or left <= most):
            break
        clusters[one].join(clusters[other])
        totals[one], weights[one], weights[other] = clusters[one].total, clusters[one].weight, np.inf
        like[other] = like[:, other] = -np.inf
        like[one] = like[:, one] = np.where(np.isinf(weights), -np.inf, totals @ totals[one] / (weights * weights[one]))
        like[one, one] = -np.inf
    return [cluster for cluster, weight in zip(clusters, weights, strict=True) if weight < np.inf]
