"""An item of a conversation: a message, a function call or what it returned; and its audio. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import resample
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.types import Audio

RETRIEVED_RATE = 24000
"""Hz of audio that a client reads back."""


def new_id(kind: str) -> str:
    """A new id: "item_…", "resp_…"."""
    return f"{kind}_{secrets.token_hex(11)[:21]}"


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
    playout: PlayoutTimeline | None = None
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


def retrieved(item: Item) -> Item:
    """The item with its audio at RETRIEVED_RATE, as clients read it back."""
    return replace(item, parts=tuple(_part_at_rate(part) for part in item.parts))


def recording(item: Item) -> Audio | None:
    """What a person said aloud, as far as it is kept."""
    parts = [part for part in item.parts if item.role == "user" and part.pcm16]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 and item.kind == "message" else None


def unheard(item: Item) -> Audio | None:
    """The recording in a person's item whose words are not known."""
    parts = [part for part in item.parts if item.role == "user" and _is_unheard(part)]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 else None


def place_unheard(item: Item) -> int:
    """Which of the item's parts is the (first) recording whose words are not known."""
    return next((place for place, part in enumerate(item.parts) if _is_unheard(part)), 0)


def worded(item: Item, text: str) -> Item:
    """The item with the words of its recording."""
    parts, rest = list[Part](), text
    for part in item.parts:
        if _is_unheard(part):
            part, rest = replace(part, text=rest), ""
        parts.append(part)
    return replace(item, parts=tuple(parts))


def _is_unheard(part: Part) -> bool:
    return part.pcm16 is not None and part.text is None


def _part_at_rate(part: Part) -> Part:
    if part.pcm16 is None or part.rate == RETRIEVED_RATE:
        return part
    samples = resample(from_pcm16(part.pcm16), part.rate, RETRIEVED_RATE)
    return replace(part, pcm16=to_pcm16(samples), rate=RETRIEVED_RATE)
