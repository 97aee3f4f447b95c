"""The items of a conversation, in order: created, retrieved, deleted, truncated. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from speechmlx.conversation.playout import Playout
from speechmlx.errors import BadRequest
from speechmlx.types import Message

KEPT_AUDIO = 300.0
"""Seconds of audio kept in the items of one conversation; the oldest lose theirs first."""
INAUDIBLE, UNSEEN = "(inaudible)", "(a picture that you cannot see)"
KEPT_TEXT = 16_000
"""Characters of conversation that a language model is given; the oldest are left out first."""

LEAST_OUTPUT, CUT = 500, " (cut)"
"""Characters of what a tool returned that are kept of a long one, and what stands for the others."""


def fresh(kind: str) -> str:
    """A new id: "item_…", "resp_…"."""
    return f"{kind}_{secrets.token_hex(11)[:21]}"


class NoSuchItem(BadRequest):
    """An item that is not in the conversation."""


class ItemExists(BadRequest):
    """A second item with the id of another."""


@dataclass(frozen=True)
class Part:
    """A piece of a message. `text` of a heard or spoken part is its transcript, None while it is not known."""

    kind: Literal["text", "audio", "image"]
    text: str | None = None
    pcm16: bytes | None = None
    """At `rate` Hz; None once it was dropped, or for an answer."""
    rate: int = 24000
    seconds: float = 0.0
    image: Mapping[str, str] | None = None
    """The client's own words for a picture; no model here sees it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing said, called or returned."""

    id: str
    kind: Literal["message", "call", "output"] = "message"
    role: Literal["user", "assistant", "system"] = "user"
    status: Literal["in_progress", "completed", "incomplete"] = "completed"
    parts: tuple[Part, ...] = ()
    playout: Playout | None = None
    """Of a spoken answer: when each clause of it was heard."""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""

    @property
    def text(self) -> str:
        """Its words, as far as they are known."""
        return " ".join(part.text for part in self.parts if part.text)

    @property
    def silent(self) -> bool:
        """Whether it is known to have no words."""
        return all(part.text == "" for part in self.parts)


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


def cut_to(item: Item, seconds: float) -> Item:
    """A spoken answer of which only the first `seconds` were heard."""
    assert item.playout is not None
    text = item.playout.heard(seconds)
    parts = tuple(replace(part, text=text, seconds=seconds) if part.kind == "audio" else part for part in item.parts)
    return replace(item, parts=parts)


def unanswered(items: Sequence[Item]) -> bool:
    """Whether words of a person, or what a call returned, came after the last answer that was heard."""
    for item in reversed(items):
        if item.kind == "output" or (item.role == "user" and not item.silent):
            return True
        if item.kind == "call" or (item.role == "assistant" and item.text):
            return False
    return False


def messages(items: Iterator[Item] | tuple[Item, ...], instructions: str, forgets: bool = True) -> tuple[Message, ...]:
    """What a language model is given: the instructions, then items that have words: the latest, if it `forgets`."""
    said = [Message("system", instructions)] if instructions else []
    for item in _answered(tuple(items)):
        if item.kind == "call":
            said.append(Message("assistant", call_text(item.name, item.arguments), item.call_id))
        elif item.kind == "output":
            said.append(Message("tool", item.output, item.call_id))
        elif words := " ".join(UNSEEN if part.kind == "image" else part.text or "" for part in item.parts).strip():
            said.append(Message(item.role, words))
        elif item.role == "user":
            said.append(Message("user", INAUDIBLE))
    return tuple(_system_first(_latest(said) if forgets else said))


def _answered(items: tuple[Item, ...]) -> Iterator[Item]:
    """What calls returned stands behind them, in their order, wherever it came: templates know no ids."""
    called = {item.call_id for item in items if item.kind == "call"}
    returned: dict[str, list[Item]] = {}
    for item in items:
        if item.kind == "output" and item.call_id in called:
            returned.setdefault(item.call_id, []).append(item)
    waiting = list[str]()
    for item in items:
        if item.kind == "call":
            waiting.append(item.call_id)
            yield item
            continue
        for call in waiting:
            yield from returned.pop(call, ())
        waiting = []
        if item.kind != "output" or item.call_id not in called:
            yield item
    for call in waiting:
        yield from returned.pop(call, ())


def _latest(said: list[Message]) -> list[Message]:
    """What fits into KEPT_TEXT from the end, and every system message.

    What a person said last stays, and all that was called and returned after it, which is shortened if it must be.
    """
    last = max((place for place, message in enumerate(said) if message.role == "user"), default=0)
    rest = _shortened(said[last:])
    length = sum(len(message.content) for message in rest)
    kept = list[Message]()
    for message in reversed(said[:last]):
        length += len(message.content)
        if message.role == "system" or length <= KEPT_TEXT:
            kept.append(message)
    kept.reverse()
    oldest = next((place for place, message in enumerate(kept) if message.role != "system"), 0)
    while kept[oldest:] and kept[oldest].role == "tool":  # the call it belongs to was left out
        del kept[oldest]
    return kept + rest


def _shortened(said: list[Message]) -> list[Message]:
    """With what tools returned cut so that all fits into KEPT_TEXT."""
    tools = [message for message in said if message.role == "tool"]
    room = KEPT_TEXT - sum(len(message.content) for message in said if message.role != "tool")
    if sum(len(message.content) for message in tools) <= room:
        return said
    share = max(LEAST_OUTPUT, room // max(1, len(tools)))
    return [
        replace(message, content=message.content[:share] + CUT)
        if message.role == "tool" and len(message.content) > share
        else message
        for message in said
    ]


def call_text(name: str, arguments: str) -> str:
    """A function call as chat templates write it."""
    try:
        given: Any = json.loads(arguments or "{}")
    except ValueError:
        given = arguments
    call: Mapping[str, Any] = {"name": name, "arguments": given}
    return f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"


def _system_first(said: list[Message]) -> list[Message]:
    """Templates take one system message, first; later ones are joined to it."""
    system = "\n\n".join(message.content for message in said if message.role == "system")
    rest = [message for message in said if message.role != "system"]
    return ([Message("system", system)] if system else []) + rest
