"""Places of a batch, for sequences that come and go: their keys and values, and what goes from frame to frame.

Pipelined, a frame is launched before the one before it is read: so a GPU does not wait while Python builds a graph. A
row that turns out to have ended forgets the frame that was launched for it, and is as it was without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.kv_rows import KeyValueRows, places_for
from speechmlx.engines.parts.launched import Launched

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Carried = TypeVar("Carried", bound=DataclassInstance)
else:
    Carried = TypeVar("Carried")


@dataclass(frozen=True)
class Flight:
    """A frame of one row that was launched and not taken."""

    launched: Launched
    """The frames of all places."""
    place: int
    """Where that of the row is among them."""
    random: Mapping[str, Any]
    """The state of the row's random numbers before it."""


@dataclass(eq=False, kw_only=True)
class PlacedRow:
    """A sequence of a batch."""

    random: np.random.Generator
    place: int = -1
    """Its row in the batch; -1 where it has none."""
    length: int = 0
    """Positions whose keys and values are there, or on their way."""
    spoilt: bool = True
    """What was computed of it were no numbers, or no frame behind its prompt has told yet that they are."""
    at_once: bool = False
    """Its frames are not left on their way: somebody waits for them, or none was launched behind them."""
    ahead: deque[Flight] = field(default_factory=deque)
    """The frames that were launched and not taken, the oldest first. The loop's own."""


Row = TypeVar("Row", bound=PlacedRow)


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
    before: list[Mapping[str, Any]]
    """For each row that steps, the state of its random numbers before that."""


class BatchPlaces(Generic[Row, Carried]):
    """Rows that come and go; those that are not named in a step wait, with all they have."""

    def __init__(
        self, memory: KeyValueRows, none: Callable[[int], Carried], *, end: int | None = None, pipelined: bool = False
    ) -> None:
        """`none`: what so many rows carry before their first frame, a dataclass of arrays [rows, ...].

        `end`: the first code that ends a sequence.
        """
        self.memory = memory
        self.pipelined = pipelined
        self.reads = 0
        """How often numbers were read from the device."""
        self._none, self._end = none, end
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
        self.forget(row)
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
        before = [row.random.bit_generator.state for row in rows]
        for row in rows:
            steps[row.place], chance[row.place] = True, row.random.random(codes, np.float32)
        self.memory.fit(count, int(lengths.max()) + 1)
        return SteppingPlaces(steps, lengths, chance, before)

    def _launched(self, rows: Sequence[Row], now: SteppingPlaces, found: mx.array) -> None:
        """The next frames of `rows` are on their way, in `found` [places, numbers]."""
        launched = Launched(found)
        for row, random in zip(rows, now.before, strict=True):
            row.ahead.append(Flight(launched, row.place, random))
            row.length += 1

    def take(self, row: Row) -> Iterator[DrawnFrame]:
        """Take the frames of `row` that may be read now, the oldest first.

        Pipelined, the one that was launched last is left on its way, unless the row is `at_once`.
        """
        left = int(self.pipelined and not row.at_once)
        while len(row.ahead) > left:
            drawn = self._read(row.ahead.popleft())
            row.spoilt = not drawn[-1]
            yield self._frame(row, drawn)

    def _frame(self, row: Row, drawn: NDArray[np.int32]) -> DrawnFrame:
        """The frame of `row` in what was drawn: codes, the first one of the next frame, and whether all is good."""
        return DrawnFrame(drawn[:-2], bool(drawn[-2] == self._end), not row.spoilt)

    def _read(self, flight: Flight) -> NDArray[np.int32]:
        """What was computed for one row, whether all is good last. Waits for it."""
        self.reads += not flight.launched.is_read
        numbers: NDArray[np.int32] = flight.launched.numbers[flight.place]
        return numbers

    def forget(self, row: Row) -> None:
        """Let `row` be as if the frames that it did not take had never been launched. Waits for them."""
        if not row.ahead:
            return
        row.random.bit_generator.state = row.ahead[0].random
        row.length -= len(row.ahead)
        good = [self._read(flight)[-1] for flight in row.ahead]
        row.ahead.clear()
        if not all(good):
            self.memory.wipe(row.place, row.length)

    def settle(self) -> None:
        """Wait for all that was launched, so that what comes next can be timed."""
        for row in self._places:
            for flight in row.ahead if row else ():
                self._read(flight)

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
