"""The conversation of one session: its items, and the only writer of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from speechmlx.conversation.errors import Purpose
from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.item import Item, with_transcript
from speechmlx.conversation.settings import ResponseRequest


class Conversation:
    """Every change of the history goes through here. Raises NoSuchItem and ItemExists as `History` does.

    A client's item that does not fit is refused (ConversationFull); turns and answers replace the oldest.
    `items`: those that it begins with.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._history = History(items)

    def __contains__(self, id: str) -> bool:
        return id in self._history

    @property
    def items(self) -> tuple[Item, ...]:
        """All items in order."""
        return tuple(self._history)

    @property
    def awaits_answer(self) -> bool:
        """Whether the last item is a person's, or what a function returned."""
        last = self.items[-1:]
        return bool(last) and (last[0].role == "user" or last[0].kind == "output")

    def get(self, id: str, purpose: Purpose = "retrieve") -> Item:
        """The item `id`."""
        return self._history.get(id, purpose)

    def items_for(self, request: ResponseRequest) -> tuple[Item, ...]:
        """The items that a response answers: its own input, else all complete items."""
        if request.input is None:
            return tuple(item for item in self._history if item.status != "in_progress")
        return tuple(self.get(item, "reference") if isinstance(item, str) else item for item in request.input)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert after the item `after` ("root": first; None: last). Returns the id of the item before it."""
        return self._history.add(item, after)

    def add_turn(self, item: Item) -> str | None:
        """Insert what a person said, last; the oldest items go where there is no room. Returns the id before it."""
        self._history.make_room()
        return self._history.add(item)

    def return_turn(self, item: Item) -> str | None:
        """A turn comes again that another server has put here: take its recording. Returns the id before it."""
        place = [one.id for one in self._history].index(item.id)
        self._history.replace(item)
        return self.items[place - 1].id if place else None

    def is_answered(self, id: str) -> bool:
        """Whether an answer follows the item `id`."""
        items = self.items
        place = [one.id for one in items].index(id)
        return any(one.role == "assistant" for one in items[place + 1 :])

    def clear(self) -> None:
        """Forget all items."""
        self._history = History()

    def delete(self, id: str) -> None:
        self._history.delete(id)

    def truncate(self, id: str, seconds: float) -> float:
        """Keep of a spoken answer the words of its first `seconds`. Returns them, clamped to its length."""
        return self._history.truncate(id, seconds)[1]

    def set_transcript(self, id: str, text: str) -> None:
        """The words of a person's recording are known. Does nothing where the item was deleted."""
        if id in self._history:
            self._history.replace(with_transcript(self._history.get(id), text))

    def begin_output(self, item: Item, after: str | None) -> str | None:
        """Insert an item that a response begins; last where `after` was deleted. Returns the id before it."""
        self._history.make_room()
        return self._history.add(item, after if after is not None and after in self._history else None)

    def finish_output(self, item: Item) -> None:
        """Store the complete item that a response began. Does nothing where it was deleted."""
        self._history.replace(item)
