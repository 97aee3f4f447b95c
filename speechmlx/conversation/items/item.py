"""An item of a conversation: a message, a function call or a function's output; and the audio in it. Pure."""

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
    """One piece of a message's content."""

    kind: Literal["text", "audio", "image"]
    text: str | None = None
    """Of an audio part: its transcript, None while it is unknown."""
    pcm16: bytes | None = None
    """Audio of a person at `rate` Hz; None for an answer, or after the history dropped it."""
    rate: int = 24000
    seconds: float = 0.0
    image: Mapping[str, str] | None = None
    """A picture as the client described it; no model here sees it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry of a conversation."""

    id: str
    kind: Literal["message", "call", "output"] = "message"
    role: Literal["user", "assistant", "system"] = "user"
    status: Literal["in_progress", "completed", "incomplete"] = "completed"
    parts: tuple[Part, ...] = ()
    playout: PlayoutTimeline | None = None
    """Of a spoken answer: the times of its clauses."""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""

    @property
    def text(self) -> str:
        """The words of all parts, as far as they are known."""
        return " ".join(part.text for part in self.parts if part.text)

    @property
    def text_size(self) -> int:
        """Characters of everything that is written: words, calls, and pictures as the client described them."""
        images = (value for part in self.parts for value in (part.image or {}).values())
        texts = (*(part.text or "" for part in self.parts), *images, self.name, self.arguments, self.output)
        return sum(map(len, texts))

    @property
    def silent(self) -> bool:
        """Whether every part is known to have no words."""
        return all(part.text == "" for part in self.parts)


def truncated(item: Item, seconds: float) -> Item:
    """A spoken answer with only the words of its first `seconds`."""
    assert item.playout is not None
    text = item.playout.text_at(seconds)
    parts = tuple(replace(part, text=text, seconds=seconds) if part.kind == "audio" else part for part in item.parts)
    return replace(item, parts=parts)


def awaits_answer(items: Sequence[Item]) -> bool:
    """Whether a person's words or a function's output follow the last function call and the last answer with words."""
    for item in reversed(items):
        if item.kind == "output" or (item.role == "user" and not item.silent):
            return True
        if item.kind == "call" or (item.role == "assistant" and item.text):
            return False
    return False


def at_retrieved_rate(item: Item) -> Item:
    """The item with its audio at RETRIEVED_RATE, as clients read it back."""
    return replace(item, parts=tuple(_part_at_rate(part) for part in item.parts))


def recording(item: Item) -> Audio | None:
    """The audio of a person's message, as far as it is kept."""
    parts = [part for part in item.parts if item.role == "user" and part.pcm16]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 and item.kind == "message" else None


def untranscribed_audio(item: Item) -> Audio | None:
    """The audio of a person's item whose words are not known."""
    parts = [part for part in item.parts if item.role == "user" and _is_untranscribed(part)]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 else None


def untranscribed_part(item: Item) -> int:
    """Index of the item's first audio part whose words are not known; 0 where there is none."""
    return next((index for index, part in enumerate(item.parts) if _is_untranscribed(part)), 0)


def with_transcript(item: Item, text: str) -> Item:
    """The item with `text` as the words of its first untranscribed part, and no words in the others."""
    parts, rest = list[Part](), text
    for part in item.parts:
        if _is_untranscribed(part):
            part, rest = replace(part, text=rest), ""
        parts.append(part)
    return replace(item, parts=tuple(parts))


def _is_untranscribed(part: Part) -> bool:
    return part.pcm16 is not None and part.text is None


def _part_at_rate(part: Part) -> Part:
    if part.pcm16 is None or part.rate == RETRIEVED_RATE:
        return part
    samples = resample(from_pcm16(part.pcm16), part.rate, RETRIEVED_RATE)
    return replace(part, pcm16=to_pcm16(samples), rate=RETRIEVED_RATE)
