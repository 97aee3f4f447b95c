"""KeptConversation: what the client of a conversation was told of it, for a server that goes on with it. Pure.

It follows the events that are sent, so it is at every moment what the client knows, or will know from what is sent
again. The words of an item are those that the session has of it by now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from speechmlx.conversation import events
from speechmlx.conversation.conversation_start import ConversationStart
from speechmlx.conversation.items.item import Item, Part, truncated, untranscribed_audio
from speechmlx.conversation.items.item_state import item_of, item_state, without_audio
from speechmlx.conversation.items.playout import PlayedClause, PlayoutTimeline
from speechmlx.conversation.settings import Answering
from speechmlx.errors import EngineLost

MAX_ITEMS = 256 * 1024
"""Bytes of JSON of the newest items, which a record holds. Those before are forgotten."""
MAX_COUNT = 4096
"""Items that are followed."""
MAX_OPEN = 32 * 1024
"""Bytes of JSON of the complete items of responses under way, and characters of the one under way."""
AUDIO_DELTA = re.compile(r'(audio\.delta", .{0,256}?"delta": ")[^"]*')
LOST = "the server that made the response was lost; ask for it again"
UNHEARD = "the server that recognised the recording was lost; send it again"

Json = dict[str, Any]


@dataclass
class _Open:
    """A response under way."""

    id: str
    out_of_band: bool
    spoken: bool
    metadata: Mapping[str, str]
    done: list[Item] = field(default_factory=list)
    """Its complete items."""
    item: Item | None = None
    """Its item under way, after `before`."""
    before: str | None = None
    text: str = ""
    """What was told of that item."""
    seconds: float = 0.0
    """Audio that was sent of that item."""

    def state(self) -> Json:
        """JSON values, without the items that are too large."""
        done, size = list[Json](), 0
        for item in self.done:
            size += len(json.dumps(state := item_state(item)))
            if size <= MAX_OPEN:
                done.append(state)
        under_way = None if self.item is None else item_state(self.item)
        known = {"id": self.id, "out_of_band": self.out_of_band, "spoken": self.spoken, "metadata": {**self.metadata}}
        return {
            **known,
            "done": done,
            "item": under_way,
            "before": self.before,
            "text": self.text,
            "seconds": self.seconds,
        }

    @classmethod
    def of(cls, state: Json) -> _Open:
        """The response of such values."""
        item = None if state["item"] is None else item_of(state["item"])
        return cls(**{**state, "done": [item_of(one) for one in state["done"]], "item": item})

    def closed(self, item: Item) -> Item:
        """The item under way as it ends: with what was told of it."""
        if item.kind == "call":
            return replace(item, status="incomplete", arguments=self.text)
        part = Part("audio" if self.spoken else "text", self.text, seconds=self.seconds)
        clauses = (PlayedClause(self.text, 0.0, self.seconds),) if self.text else ()
        return replace(
            item, status="incomplete", parts=(part,), playout=PlayoutTimeline(clauses) if self.spoken else None
        )


class KeptConversation:
    """`take` it every event. `look` gives the items of the session as they are now."""

    def __init__(self) -> None:
        self.look: Callable[[], Sequence[Item]] = lambda: ()
        self._items: list[Item] = []
        """Those that were told and are not deleted, without audio."""
        self._sizes: dict[str, int] = {}
        """Characters of each of them, by its id."""
        self._size = 0
        """Those of all together."""
        self._open: dict[str, _Open] = {}
        self._formats: dict[str, Callable[[int], float]] = {}
        """By response: the seconds of bytes of its audio."""
        self._turn: str | None = None
        """The newest turn."""
        self._unheard: dict[str, int] = {}
        """The recordings whose words are not told, and which part they are."""
        self._written: dict[str, tuple[Item, str, int]] = {}
        """By item: what of it was written last, as JSON, and the bytes that this takes in a record."""

    def take(self, event: events.Event) -> bool:
        """Follow an event. Whether it is told for good: a client must not get it again."""
        match event:
            case events.Committed(item):
                self._turn = item
            case events.ItemAdded(item, before):
                self._add(without_audio(item), before)
                if item.id == self._turn:
                    return False  # it comes again, unless its transcript was told
                if untranscribed_audio(item) is not None:
                    self._unheard[item.id] = next(n for n, part in enumerate(item.parts) if part.text is None)
            case events.ItemDeleted(id):
                if id in self._sizes:
                    self._forget(self._place(id))
                self._unheard.pop(id, None)
            case events.TranscriptDone(item) | events.TranscriptFailed(item):
                self._unheard.pop(item, None)
            case events.ItemTruncated():
                pass
            case _:
                return self._take_response(event)
        return True

    def _take_response(self, event: events.Event) -> bool:
        match event:
            case events.ResponseStarted(response):
                answering = response.answering
                self._open[response.id] = _Open(response.id, response.out_of_band, answering.spoken, response.metadata)
                self._formats[response.id] = answering.voice.format.seconds
            case events.ResponseDone(response):
                self._open.pop(response.id, None)
                self._formats.pop(response.id, None)
            case events.OutputStarted(response, item, _, before, out_of_band):
                if not out_of_band:
                    self._add(item, before)
                if (one := self._open.get(response)) is not None:
                    one.item, one.before, one.text, one.seconds = item, before, "", 0.0
            case events.OutputDone(response, item, _, before, out_of_band):
                if not out_of_band:
                    self._add(item, before)
                if (one := self._open.get(response)) is not None:
                    one.done.append(item)
                    one.item = None
            case _:
                self._take_output(event)
                return False
        return True

    def _take_output(self, event: events.Event) -> None:
        match event:
            case events.OutputText(response, _, _, text) | events.OutputArguments(response, _, _, _, text):
                if (one := self._open.get(response)) is not None:
                    one.text = (one.text + text)[:MAX_OPEN]
            case events.OutputAudio(response, _, _, audio):
                if (one := self._open.get(response)) is not None and response in self._formats:
                    one.seconds += self._formats[response](len(audio))
            case _:
                pass

    def _add(self, item: Item, before: str | None) -> None:
        """Put an item after `before`, or in the place of the one with its id. Forget the oldest over the bounds."""
        size = item.text_size
        if item.id in self._sizes:
            self._items[self._place(item.id)] = item
        elif before is None:
            self._items.insert(0, item)
        else:
            self._items.insert(self._place(before) + 1 if before in self._sizes else len(self._items), item)
        self._size += size - self._sizes.get(item.id, 0)
        self._sizes[item.id] = size
        while len(self._items) > MAX_COUNT or (self._size > MAX_ITEMS and len(self._items) > 1):
            self._forget(0)

    def _place(self, id: str) -> int:
        """Where an item is that is kept; it is looked for from the newest on, as what is told is told of the newest."""
        return next(place for place in reversed(range(len(self._items))) if self._items[place].id == id)

    def _forget(self, place: int) -> None:
        self._size -= self._sizes.pop(self._items.pop(place).id)

    # --- for other servers ---

    def state(self) -> Json:
        """JSON values of bounded size."""
        current = {item.id: item for item in self.look()}
        written, size = dict[str, tuple[Item, str, int]](), 0
        for told in reversed(self._items):
            entry = self._entry(current.get(told.id, told))
            size += entry[2]
            if size > MAX_ITEMS:
                break
            written[told.id] = entry
        self._written = written
        return {
            "items": [text for _, text, _ in reversed(written.values())],
            "open": [one.state() for one in self._open.values()],
            "turn": self._turn,
            "unheard": {**self._unheard},
        }

    def _entry(self, item: Item) -> tuple[Item, str, int]:
        item = without_audio(item)
        known = self._written.get(item.id)
        if known is not None and known[0] == item:
            return known
        text = json.dumps(item_state(item), separators=(",", ":"))
        return item, text, len(json.dumps(text)) + 2

    @classmethod
    def of(cls, state: Json) -> KeptConversation:
        """What another server kept."""
        kept = cls()
        kept._items = [item_of(json.loads(text)) for text in state["items"]]
        kept._sizes = {item.id: item.text_size for item in kept._items}
        kept._size = sum(kept._sizes.values())
        kept._open = {one["id"]: _Open.of(one) for one in state["open"]}
        kept._turn, kept._unheard = state["turn"], {**state["unheard"]}
        return kept

    def start(self, answering: Answering, returning: Sequence[str]) -> ConversationStart:
        """With what the session goes on. `returning`: the turns that come again. `answering`: of the session."""
        last = self._items[-1].id if self._items else None
        waits = any(not one.out_of_band for one in self._open.values()) and last == self._turn
        unanswered = last if waits and last not in returning else None
        items = {item.id: item for item in self._items}
        ends: list[events.OutputDone | events.ResponseDone | events.TranscriptFailed] = [
            events.TranscriptFailed(item, EngineLost(UNHEARD), part)
            for item, part in self._unheard.items()
            if item not in returning
        ]
        for one in self._open.values():
            done = list(one.done)
            if one.item is not None:
                known = items.get(one.item.id, one.item)
                item = known if known.status != "in_progress" else one.closed(one.item)
                done.append(item)
                ends.append(events.OutputDone(one.id, item, len(one.done), one.before, one.out_of_band, one.spoken))
                if item.id in items:
                    items[item.id] = truncated(item, one.seconds) if item is not known and one.spoken else item
            ends.append(_failed(one, done, answering))
        complete = (item for item in items.values() if item.kind != "call" or item.status == "completed")
        return ConversationStart(tuple(complete), tuple(ends), unanswered)


def _failed(response: _Open, items: Sequence[Item], answering: Answering) -> events.ResponseDone:
    """The end of a response that its server cannot finish any more."""
    return events.ResponseDone(
        events.Response(
            id=response.id,
            answering=replace(answering, spoken=response.spoken),
            out_of_band=response.out_of_band,
            status="failed",
            error=EngineLost(LOST),
            items=tuple(items),
            metadata=response.metadata,
            cost=events.Cost(audio_out=response.seconds),
        )
    )


def shortened(message: str) -> str:
    """A message of the server without the audio in it: no other server has that again."""
    return AUDIO_DELTA.sub(r"\1", message, count=1)
