"""How wrong a diarization is: the error rate of the field, with the best match of labels to speakers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from speechmlx.types import SpeakerTurn

FRAME = 0.01
"""Seconds of one frame of the comparison."""


@dataclass(frozen=True)
class DiarizationErrors:
    """Seconds of speech in the reference that were compared, and of each kind of error in them."""

    speech: float
    missed: float
    false: float
    confused: float

    @property
    def rate(self) -> float:
        return (self.missed + self.false + self.confused) / self.speech if self.speech else 0.0

    def __add__(self, other: DiarizationErrors) -> DiarizationErrors:
        return DiarizationErrors(
            self.speech + other.speech,
            self.missed + other.missed,
            self.false + other.false,
            self.confused + other.confused,
        )


def errors(
    reference: Sequence[SpeakerTurn], found: Sequence[SpeakerTurn], collar: float = 0.25, overlaps: bool = True
) -> DiarizationErrors:
    """Compare turns. Not compared: `collar` seconds around each turn's ends in the reference, and overlapping speech
    unless `overlaps`. A turn with the speaker "" is silence.
    """
    found = [turn for turn in found if turn.speaker]
    frames = round(max((turn.end for turn in [*reference, *found]), default=0.0) / FRAME) + 1
    truth, guess = _activity(reference, frames), _activity(found, frames)
    counted = np.ones(frames, bool)
    for turn in reference:
        for edge in (turn.start, turn.end):
            counted[max(0, round((edge - collar) / FRAME)) : round((edge + collar) / FRAME)] = collar == 0
    if not overlaps:
        counted &= truth.sum(0) < 2
    truth, guess = truth[:, counted], guess[:, counted]
    spoken, heard = truth.sum(0), guess.sum(0)
    right = _matched(truth.astype(int) @ guess.T.astype(int))
    both = np.minimum(spoken, heard).sum()
    return DiarizationErrors(
        spoken.sum() * FRAME,
        np.maximum(spoken - heard, 0).sum() * FRAME,
        np.maximum(heard - spoken, 0).sum() * FRAME,
        (both - right) * FRAME,
    )


def _activity(turns: Iterable[SpeakerTurn], frames: int) -> np.ndarray:
    """[speaker, frame]: whether each speaker talks."""
    turns = list(turns)
    names = sorted({turn.speaker for turn in turns})
    active = np.zeros((len(names), frames), bool)
    for turn in turns:
        active[names.index(turn.speaker), round(turn.start / FRAME) : round(turn.end / FRAME)] = True
    return active


def _matched(shared: np.ndarray) -> int:
    """Frames that speakers share with the label given to each, each label once, in the best way. At most 6 speakers."""
    few, many = sorted(shared.shape)
    table = shared if len(shared) == few else shared.T
    # labels that share little never matter: of the others each speaker's best `few` are enough
    useful = sorted({int(column) for row in table for column in np.argsort(row)[::-1][:few]})
    table = table[:, useful]
    return (
        max(
            (
                sum(int(table[row, column]) for row, column in enumerate(chosen))
                for chosen in permutations(range(len(useful)), few)
            ),
            default=0,
        )
        if many
        else 0
    )
