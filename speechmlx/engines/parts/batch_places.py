"""Places of a batch, for sequences that come and go: their keys and values, and what goes from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.kv_rows import KeyValueRows, places_for

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Carried = TypeVar("Carried", bound=DataclassInstance)
else:
    Carried = TypeVar("Carried")


class Placed(Protocol):
    """A sequence of a batch."""

    random: np.random.Generator
    place: int
    """Its row in the batch; -1 where it has none."""
    length: int
    """Positions whose keys and values are there."""
    spoilt: bool
    """What was computed of it were no numbers."""


Row = TypeVar("Row", bound=Placed)


@dataclass(frozen=True)
class DrawnFrame:
    """What a step gave for one row."""

    codes: NDArray[np.int32]
    """Of the frame [codebooks]."""
    ends: bool
    """The frame is the last one."""
    good: bool
    """What the networks computed were finite numbers."""


@dataclass(frozen=True)
class SteppingPlaces:
    """What a step computes with, for each place."""

    steps: NDArray[np.bool_]
    """Whether its row is one of those that step."""
    lengths: NDArray[np.int32]
    chance: NDArray[np.float32]
    """What each code of the frame is drawn by [places, codebooks]."""


class BatchPlaces(Generic[Row, Carried]):
    """Rows that come and go; those that are not named in a step wait, with all they have."""

    def __init__(self, memory: KeyValueRows, none: Callable[[int], Carried]) -> None:
        """`none`: what so many rows carry before their first frame, a dataclass of arrays [rows, ...]."""
        self.memory = memory
        self.reads = 0
        """How often numbers were read from the device."""
        self._none = none
        self._places: list[Row | None] = []
        self._carried = none(0)
        self._settings: Any = None
        """The settings of all rows, as arrays; None since rows have come, gone or moved."""

    def join(self, row: Row) -> None:
        """Give `row` a place."""
        if None not in self._places:
            self._resize(range(len(self._places)), places_for(len(self._places) + 1))
        row.place = self._places.index(None)
        self._places[row.place] = row
        self._settings = None

    def leave(self, row: Row) -> None:
        """Take the place of `row` away; memory is freed once half of the places are empty."""
        if row.place < 0:
            return
        if row.spoilt and self.memory.rows:
            self.memory.wipe(row.place)
        self._places[row.place] = None
        row.place = -1
        staying = [place for place, one in enumerate(self._places) if one is not None]
        if places_for(len(staying)) < len(self._places):
            self._resize(staying, places_for(len(staying)))

    def _stepping(self, rows: Sequence[Row], codes: int) -> SteppingPlaces:
        """Have room for a frame of `codes` codes of each of `rows`."""
        count = len(self._places)
        steps, chance = np.zeros(count, np.bool_), np.zeros((count, codes), np.float32)
        lengths = np.array([one.length if one else 0 for one in self._places], np.int32)
        for row in rows:
            steps[row.place], chance[row.place] = True, row.random.random(codes, np.float32)
        self.memory.fit(count, int(lengths.max()) + 1)
        return SteppingPlaces(steps, lengths, chance)

    def _frames(self, rows: Sequence[Row], found: mx.array, end: int) -> list[DrawnFrame]:
        """The frames of `rows` in `found` [places, codes and the first of the next frame and whether all is good].

        `end`: the first code that ends a sequence.
        """
        drawn = np.array(found)
        self.reads += 1
        for row in rows:
            row.length += 1
            row.spoilt = not drawn[row.place, -1]
        return [DrawnFrame(one[:-2], bool(one[-2] == end), bool(one[-1])) for one in (drawn[row.place] for row in rows)]

    def _resize(self, staying: Sequence[int], rows: int) -> None:
        """Have `rows` places; the rows at the places `staying` come first."""
        members = [self._places[place] for place in staying]
        if self.memory.rows:
            self.memory.keep(staying, rows)
        fresh = self._none(rows)
        names = [one.name for one in fields(fresh)]
        if members:
            chosen = mx.array(list(staying), mx.int32)
            for name in names:
                getattr(fresh, name)[: len(members)] = mx.take(getattr(self._carried, name), chosen, axis=0)
        mx.eval([getattr(fresh, name) for name in names])
        self._carried, self._settings = fresh, None
        self._places = [*members, *[None] * (rows - len(members))]
        for place, row in enumerate(members):
            assert row is not None
            row.place = place
