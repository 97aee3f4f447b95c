"""An item as JSON values for another server, and back: everything but its audio and its pictures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.items.playout import PlayedClause, PlayoutTimeline

MAX_IMAGE = 256
"""Characters of a value that describes a picture. Longer ones, which hold the picture, are left out."""
TEXTS = ("id", "kind", "role", "status", "call_id", "name", "arguments", "output")
"""The fields that are strings."""

Json = dict[str, Any]


def without_audio(item: Item) -> Item:
    """The item without the recording of a person."""
    if all(part.pcm16 is None for part in item.parts):
        return item
    return replace(item, parts=tuple(replace(part, pcm16=None) for part in item.parts))


def item_state(item: Item) -> Json:
    """The item as JSON values. Of a spoken answer it has the times of clauses, not of words."""
    state: Json = {name: getattr(item, name) for name in TEXTS}
    state["parts"] = [_part_state(part) for part in item.parts]
    if item.playout is not None:
        clauses = item.playout.clauses
        state["clauses"] = [[one.text, one.start, one.end, one.length] for one in clauses]
    return state


def item_of(state: Mapping[str, Any]) -> Item:
    """The item of such values."""
    clauses = state.get("clauses")
    return Item(
        **{name: state[name] for name in TEXTS},
        parts=tuple(Part(**part) for part in state["parts"]),
        playout=None if clauses is None else PlayoutTimeline(tuple(PlayedClause(*clause) for clause in clauses)),
    )


def _part_state(part: Part) -> Json:
    state: Json = {"kind": part.kind, "text": part.text, "seconds": part.seconds}
    if part.image is not None:
        state["image"] = {name: value for name, value in part.image.items() if len(value) <= MAX_IMAGE}
    return state
