"""Places of a batch, for sequences that come and go: their keys and values, and what goes from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import mlx.core as mx

from speechmlx.engines.parts.kv_rows import KeyValueRows, places_for

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Carried = TypeVar("Carried", bound=DataclassInstance)
else:
    Carried = TypeVar("Carried")


class Placed(Protocol):
    """A sequence of a batch."""

    place: int
    """Its row in the batch; -1 where it has none."""
    spoilt: bool
    """What was computed of it were no numbers."""


Row = TypeVar("Row", bound=Placed)


class BatchPlaces(Generic[Row, Carried]):
    """Rows that come and go; those that are not named in a step wait, with all they have."""

    def __init__(self, memory: KeyValueRows, none: Callable[[int], Carried]) -> None:
        """`none`: what so many rows carry before their first frame, a dataclass of arrays [rows, ...]."""
        self.memory = memory
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
