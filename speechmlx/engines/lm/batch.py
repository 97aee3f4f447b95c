"""Sequences that come and go between the steps of one batch, with their keys and values as one cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar


class Cached(Protocol):
    """A sequence that is decoded. It holds its own cache while it is in no batch, and None while it is in one."""

    cache: list[Any] | None


Member = TypeVar("Member", bound=Cached)


class Batch(Generic[Member]):
    """The sequences that were decoded in the last step; `cache` holds the keys and values of all, a row each.

    One sequence alone keeps its own cache: nothing is copied when it comes and goes, and its attention needs no mask.
    """

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.cache: list[Any] = []

    def select(self, members: Sequence[Member]) -> None:
        """Hold exactly `members`. Those that stay keep their rows; new ones get the rows after them."""
        self.remove([member for member in self.members if member not in members])
        new = [member for member in members if member not in self.members]
        caches = [member.cache for member in new if member.cache is not None]
        if len(self.members) == 1 and new:
            caches, joined = [self.cache, *caches], []
        else:
            joined = self.cache
        if len(caches) == 1 and not joined:
            self.cache = caches[0]
        elif caches:
            merged = [layer[0].merge(list(layer)) for layer in zip(*caches, strict=True)]
            for layer, other in zip(joined, merged, strict=bool(joined)):
                layer.extend(other)
            self.cache = joined or merged
        for member in new:
            member.cache = None
        self.members.extend(new)

    def remove(self, members: Sequence[Member]) -> None:
        """Give the `members` that are in the batch their own caches back."""
        rows = [row for row, member in enumerate(self.members) if member in members]
        staying = [row for row in range(len(self.members)) if row not in rows]
        for row in rows:
            self.members[row].cache = self._own(row)
        if not rows:
            return
        if len(staying) == 1:
            self.cache = self._own(staying[0])
        else:
            for layer in self.cache if staying else ():
                layer.filter(staying)
        self.members = [self.members[row] for row in staying]
        self.cache = self.cache if staying else []

    def _own(self, row: int) -> list[Any]:
        """The cache of one row by itself."""
        return self.cache if len(self.members) == 1 else [layer.extract(row) for layer in self.cache]
