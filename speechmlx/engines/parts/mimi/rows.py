"""The states of several streams as the rows of one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import mlx.core as mx
from mlx.utils import tree_map

RowState = Any
"""A tree of arrays whose first axis is that of the rows."""


class StackedRows:
    """Keeps the rows of the last step together, and stacks them anew only where other rows step."""

    def __init__(self) -> None:
        self._order: list[Hashable] = []
        self._state: RowState = None
        self._aside: dict[Hashable, RowState] = {}

    def add(self, row: Hashable, state: RowState) -> None:
        """A new row; `state` has one row."""
        self._aside[row] = state

    def take(self, rows: Sequence[Hashable]) -> RowState:
        """The state of these rows, in their order. The caller puts the state after the step back."""
        if list(rows) != self._order:
            self._part()
            parts = [self._aside.pop(row) for row in rows]
            self._order = list(rows)
            self._state = parts[0] if len(parts) == 1 else tree_map(lambda *some: mx.concatenate(some), *parts)
        return self._state

    def put(self, state: RowState) -> None:
        """The state after the step of the rows that were taken last."""
        self._state = state

    def drop(self, row: Hashable) -> None:
        """Free a row, if it is here."""
        if row in self._order:
            self._part()
        self._aside.pop(row, None)

    def _part(self) -> None:
        """Set all rows of the last step aside, each by itself."""
        for place, row in enumerate(self._order):
            # A copy: a view would keep the rows of the others in memory.
            self._aside[row] = tree_map(lambda array, at=place: mx.contiguous(array[at : at + 1]), self._state)
        mx.eval([self._aside[row] for row in self._order])
        self._order, self._state = [], None
