"""The items of a conversation, in order: created, retrieved, deleted, truncated. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from speechmlx.conversation.items.item import Item, cut_to
from speechmlx.errors import BadRequest

KEPT_AUDIO = 300.0
"""Seconds of audio kept in the items of one conversation; the oldest lose theirs first."""


class NoSuchItem(BadRequest):
    """An item that is not in the conversation."""


class ItemExists(BadRequest):
    """A second item with the id of another."""


class History:
    """Items by id, in the order of the conversation."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __contains__(self, id: str) -> bool:
        return any(item.id == id for item in self._items)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Put `item` after the one called `after` ("root": first; None: last). Returns the id of the one before it.

        Raises ItemExists and NoSuchItem.
        """
        if item.id in self:
            raise ItemExists(f"Error adding item: the item with id '{item.id}' already exists.")
        if after is None:
            place = len(self._items)
        elif after == "root":
            place = 0
        else:
            place = self._place(after, "adding item: the previous item") + 1
        self._items.insert(place, item)
        self._forget_audio()
        return self._items[place - 1].id if place else None

    def get(self, id: str, doing: str = "retrieving") -> Item:
        """Raises NoSuchItem."""
        return self._items[self._place(id, f"{doing} item: the item")]

    def replace(self, item: Item) -> None:
        """Put `item` in the place of the one with its id, if that is still there."""
        for place, other in enumerate(self._items):
            if other.id == item.id:
                self._items[place] = item
                self._forget_audio()

    def delete(self, id: str) -> None:
        """Raises NoSuchItem."""
        del self._items[self._place(id, "deleting item: the item")]

    def truncate(self, id: str, seconds: float) -> tuple[Item, float]:
        """Keep of a spoken answer what was heard in its first `seconds`, clamped to its length.

        Returns the item as it is now and where it was cut. Raises NoSuchItem, and BadRequest for what was not spoken.
        """
        item = self._items[self._place(id, "truncating item: the item")]
        if item.playout is None:
            raise BadRequest("Only model output audio messages can be truncated")
        cut = min(max(0.0, seconds), item.playout.duration)
        self.replace(cut_to(item, cut))
        return self.get(id), cut

    def before(self, id: str) -> str | None:
        """The id of the item before `id`."""
        place = next((place for place, item in enumerate(self._items) if item.id == id), 0)
        return self._items[place - 1].id if place else None

    def _place(self, id: str, what: str) -> int:
        for place, item in enumerate(self._items):
            if item.id == id:
                return place
        raise NoSuchItem(f"Error {what} with id '{id}' does not exist.")

    def _forget_audio(self) -> None:
        kept = 0.0
        for place in range(len(self._items) - 1, -1, -1):
            item = self._items[place]
            seconds = sum(part.seconds for part in item.parts if part.pcm16 is not None)
            kept += seconds
            if seconds and kept > KEPT_AUDIO:
                parts = tuple(replace(part, pcm16=None) for part in item.parts)
                self._items[place] = replace(item, parts=parts)
