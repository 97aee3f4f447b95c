"""The context of a language model: the messages that it is given of a conversation. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from speechmlx.conversation.items.item import Item
from speechmlx.types import FunctionCall, Message

INAUDIBLE, UNSEEN = "(inaudible)", "(a picture that you cannot see)"
KEPT_TEXT = 16_000
"""Characters of conversation that a language model is given; the oldest are left out first."""

LEAST_OUTPUT, CUT = 500, " (cut)"
"""Characters of what a tool returned that are kept of a long one, and what stands for the others."""


def build_context(
    items: Iterator[Item] | tuple[Item, ...], instructions: str, forgets: bool = True
) -> tuple[Message, ...]:
    """What a language model is given: the instructions, then items that have words: the latest, if it `forgets`."""
    said = [Message("system", instructions)] if instructions else []
    for item in _answered(tuple(items)):
        if item.kind == "call":
            said.append(Message("assistant", call=FunctionCall(item.name, item.arguments, item.call_id)))
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
    length = sum(message.length for message in rest)
    kept = list[Message]()
    for message in reversed(said[:last]):
        length += message.length
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
    room = KEPT_TEXT - sum(message.length for message in said if message.role != "tool")
    if sum(len(message.content) for message in tools) <= room:
        return said
    share = max(LEAST_OUTPUT, room // max(1, len(tools)))
    return [
        replace(message, content=message.content[:share] + CUT)
        if message.role == "tool" and len(message.content) > share
        else message
        for message in said
    ]


def _system_first(said: list[Message]) -> list[Message]:
    """Templates take one system message, first; later ones are joined to it."""
    system = "\n\n".join(message.content for message in said if message.role == "system")
    rest = [message for message in said if message.role != "system"]
    return ([Message("system", system)] if system else []) + rest
