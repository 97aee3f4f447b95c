"""The items of a conversation → the messages that a language model gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from speechmlx.conversation.items.item import Item
from speechmlx.types import FunctionCall, Message

INAUDIBLE, UNSEEN = "(inaudible)", "(a picture that you cannot see)"
"""Stand for a turn without words and for an image."""
KEPT_TEXT = 16_000
"""Characters of conversation in a prompt; the oldest messages are dropped first."""
LEAST_OUTPUT, CUT = 500, " (cut)"
"""Characters that are kept of a tool's long output at least, and the mark at its end."""


def build_context(items: Iterable[Item], instructions: str, forgets: bool = True) -> tuple[Message, ...]:
    """The instructions and every item with words, as messages. `forgets`: the oldest beyond KEPT_TEXT are dropped.

    There is one system message at most, and it comes first. The output of a call comes right after the call.
    """
    messages = [Message("system", instructions)] if instructions else []
    messages += [message for item in _outputs_after_calls(tuple(items)) if (message := _message(item))]
    return tuple(_system_first(_trim(messages) if forgets else messages))


def _message(item: Item) -> Message | None:
    """None for an item without words, unless it is a person's turn."""
    if item.kind == "call":
        return Message("assistant", call=FunctionCall(item.name, item.arguments, item.call_id))
    if item.kind == "output":
        return Message("tool", item.output, item.call_id)
    words = " ".join(UNSEEN if part.kind == "image" else part.text or "" for part in item.parts).strip()
    if not words and item.role != "user":
        return None
    return Message(item.role, words or INAUDIBLE)


def _outputs_after_calls(items: tuple[Item, ...]) -> Iterator[Item]:
    """Moves the outputs of calls behind the calls, in the order of the calls: most chat templates print no ids."""
    called = {item.call_id for item in items if item.kind == "call"}
    outputs: dict[str, list[Item]] = {}
    for item in items:
        if item.kind == "output" and item.call_id in called:
            outputs.setdefault(item.call_id, []).append(item)
    open_calls = list[str]()
    for item in items:
        if item.kind == "call":
            open_calls.append(item.call_id)
            yield item
            continue
        for id in open_calls:
            yield from outputs.pop(id, ())
        open_calls = []
        if item.kind != "output" or item.call_id not in called:
            yield item
    for id in open_calls:
        yield from outputs.pop(id, ())


def _trim(messages: list[Message]) -> list[Message]:
    """The last messages that fit into KEPT_TEXT, and every system message.

    The last user message and everything after it stay; outputs of tools there are shortened if necessary.
    """
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=0)
    recent = _shorten_outputs(messages[last:])
    length = sum(message.length for message in recent)
    older = list[Message]()
    for message in reversed(messages[:last]):
        length += message.length
        if message.role == "system" or length <= KEPT_TEXT:
            older.append(message)
    older.reverse()
    oldest = next((place for place, message in enumerate(older) if message.role != "system"), 0)
    while older[oldest:] and older[oldest].role == "tool":  # its call was dropped
        del older[oldest]
    return older + recent


def _shorten_outputs(messages: list[Message]) -> list[Message]:
    """Cuts the outputs of tools to equal shares of the room that the other messages leave of KEPT_TEXT."""
    outputs = [message for message in messages if message.role == "tool"]
    room = KEPT_TEXT - sum(message.length for message in messages if message.role != "tool")
    if sum(message.length for message in outputs) <= room:
        return messages
    share = max(LEAST_OUTPUT, room // max(1, len(outputs)))
    return [
        replace(message, content=message.content[:share] + CUT)
        if message.role == "tool" and len(message.content) > share
        else message
        for message in messages
    ]


def _system_first(messages: list[Message]) -> list[Message]:
    """Joins the system messages to one, at the beginning: chat templates take no other."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    return ([Message("system", system)] if system else []) + others
