"""Sequences that come and go between the steps of one batch, with their keys and values as one cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar


class Cached(Protocol):
    """A sequence that is decoded. It holds its own cache while it is in no batch, and None while it is in one."""

    cache: list[Any] | None


Member = TypeVar("Member", bound=Cached)


class Batch(Generic[Member]):
    """The sequences that were decoded in the last step; `cache` holds the keys and values of all, a row each."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.cache: list[Any] = []

    def select(self, members: Sequence[Member]) -> None:
        """Hold exactly `members`. Those that stay keep their rows; new ones get the rows after them."""
        self.remove([member for member in self.members if member not in members])
        new = [member for member in members if member not in self.members]
        if new:
            caches = [member.cache for member in new if member.cache is not None]
            merged = [layer[0].merge(list(layer)) for layer in zip(*caches, strict=True)]
            for layer, other in zip(self.cache, merged, strict=bool(self.cache)):
                layer.extend(other)
            self.cache = self.cache or merged
            for member in new:
                member.cache = None
            self.members.extend(new)

    def remove(self, members: Sequence[Member]) -> None:
        """Give the `members` that are in the batch their own caches back."""
        rows = [row for row, member in enumerate(self.members) if member in members]
        for row in rows:
            self.members[row].cache = [layer.extract(row) for layer in self.cache]
        if rows:
            staying = [row for row in range(len(self.members)) if row not in rows]
            self.members = [self.members[row] for row in staying]
            for layer in self.cache if staying else ():
                layer.filter(staying)
            self.cache = self.cache if staying else []
