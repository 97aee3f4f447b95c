"""Voices → turns: each window of a recording gets its likeliest voice, and voices get names or numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines.ecapa.clustering import Cluster, likeness
from speechmlx.engines.ecapa.windows import SpeechWindow
from speechmlx.types import SpeakerTurn

if TYPE_CHECKING:
    from speechmlx.types import Samples

KNOWN = 0.5
"""Likeness of a voice to that of a known speaker from which on it is theirs."""
SWITCH = 0.1
"""Cosine by which another voice must be nearer in one window, to be heard in the midst of speech."""

Voice = tuple[str, Cluster]
"""A known speaker's name, or "" for another, and the voice."""


def named(found: Sequence[Cluster], known: Sequence[Voice]) -> list[Voice]:
    """The voices `found`, with the names of those that are `known`; voices of the same known speaker are one."""
    if not known or not found:
        return [("", cluster) for cluster in found]
    like = likeness([*found, *(cluster for _, cluster in known)])[: len(found), len(found) :]
    voices: dict[str, Cluster] = {}
    others: list[Voice] = []
    for cluster, row in zip(found, like, strict=True):
        name = known[int(row.argmax())][0]
        if row.max() < KNOWN:
            others.append(("", cluster))
        elif name in voices:
            voices[name].join(cluster)
        else:
            voices[name] = cluster
    return [*voices.items(), *others]


def label(embeddings: Samples, voices: Sequence[Voice]) -> list[int]:
    """The number of the voice in each window of a stretch of speech, which changes only where that pays."""
    scores = embeddings @ np.array([cluster.centre for _, cluster in voices]).T
    best, came = scores[0], []
    for row in scores[1:]:
        switch = int(best.argmax())
        came.append(np.where(best >= best[switch] - SWITCH, np.arange(len(best)), switch))
        best = np.maximum(best, best[switch] - SWITCH) + row
    path = [int(best.argmax())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return path[::-1]


def turns(
    parts: Sequence[Sequence[SpeechWindow]], labels: Sequence[Sequence[int]], names: Sequence[str]
) -> Iterator[SpeakerTurn]:
    """A turn for each run of windows of one voice. Voices without a name are numbered in the order of their turns."""
    numbers = (number for each in count() if (number := str(each)) not in names)
    given = {voice: name for voice, name in enumerate(names) if name}
    for part, numbered in zip(parts, labels, strict=True):
        first = 0
        for i, voice in enumerate(numbered):
            if i + 1 < len(part) and numbered[i + 1] == voice:
                continue
            given[voice] = given.get(voice) or next(numbers)
            yield SpeakerTurn(part[first].first, part[i].last, given[voice])
            first = i + 1
