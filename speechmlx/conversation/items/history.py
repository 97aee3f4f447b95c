"""The items of a conversation, in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from speechmlx.conversation.errors import ConversationFull, ItemExists, NoSuchItem, NotSpoken, Purpose
from speechmlx.conversation.items.item import Item, truncated

KEPT_AUDIO = 300.0
"""Seconds of audio kept in the items of one conversation; the oldest items lose theirs first."""

MAX_ITEMS = 4096
"""Items of one conversation."""
MAX_TEXT = 16 * 1024 * 1024
"""Characters of text, calls and pictures in the items of one conversation."""


class History:
    """Items in the order of the conversation; no two have the same id. `items`: those that it begins with."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items = list(items)
        self._text = sum(item.text_size for item in self._items)
        """Characters in all items."""

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __contains__(self, id: str) -> bool:
        return any(item.id == id for item in self._items)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert `item` after the item `after` ("root": first; None: last). Returns the id of the item before it.

        Raises ItemExists, NoSuchItem and ConversationFull.
        """
        if item.id in self:
            raise ItemExists(item.id)
        if after is None:
            place = len(self._items)
        elif after == "root":
            place = 0
        else:
            place = self._place(after, "insert_after") + 1
        if len(self._items) >= MAX_ITEMS or self._text + item.text_size > MAX_TEXT:
            raise ConversationFull(MAX_ITEMS, MAX_TEXT)
        self._items.insert(place, item)
        self._text += item.text_size
        self._drop_old_audio()
        return self._items[place - 1].id if place else None

    def make_room(self) -> None:
        """Drop the oldest items where the conversation is so full that a turn and its answer may not fit."""
        while self._items and (len(self._items) > MAX_ITEMS - 64 or self._text > MAX_TEXT - MAX_TEXT // 16):
            self.delete(self._items[0].id)

    def get(self, id: str, purpose: Purpose = "retrieve") -> Item:
        """The item `id`. Raises NoSuchItem."""
        return self._items[self._place(id, purpose)]

    def replace(self, item: Item) -> None:
        """Store `item` over the one with its id. Does nothing where that was deleted."""
        for place, other in enumerate(self._items):
            if other.id == item.id:
                self._items[place] = item
                self._text += item.text_size - other.text_size
                self._drop_old_audio()

    def delete(self, id: str) -> None:
        """Remove the item `id`. Raises NoSuchItem."""
        place = self._place(id, "delete")
        self._text -= self._items[place].text_size
        del self._items[place]

    def truncate(self, id: str, seconds: float) -> tuple[Item, float]:
        """Keep of a spoken answer the words of its first `seconds`, clamped to its length.

        Returns the item as it is now and the clamped seconds. Raises NoSuchItem, and NotSpoken.
        """
        item = self._items[self._place(id, "truncate")]
        if item.playout is None:
            raise NotSpoken()
        cut = min(max(0.0, seconds), item.playout.duration)
        self.replace(truncated(item, cut))
        return self.get(id), cut

    def _place(self, id: str, purpose: Purpose) -> int:
        for place, item in enumerate(self._items):
            if item.id == id:
                return place
        raise NoSuchItem(id, purpose)

    def _drop_old_audio(self) -> None:
        kept = 0.0
        for place in range(len(self._items) - 1, -1, -1):
            item = self._items[place]
            seconds = sum(part.seconds for part in item.parts if part.pcm16 is not None)
            kept += seconds
            if seconds and kept > KEPT_AUDIO:
                parts = tuple(replace(part, pcm16=None) for part in item.parts)
                self._items[place] = replace(item, parts=parts)
