"""The items that a response gives out: one message, then function calls; as events and in the conversation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from speechmlx.conversation.event_queue import EventQueue
from speechmlx.conversation.events import OutputArguments, OutputAudio, OutputDone, OutputStarted, OutputText
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, Part, new_id, truncated
from speechmlx.conversation.response.encoding import OutputEncoder
from speechmlx.conversation.response.playback import Playback
from speechmlx.conversation.settings import ResponseRequest
from speechmlx.types import Chunk, FunctionCall

ItemStatus = Literal["completed", "incomplete"]


@dataclass
class ResponseOutput:
    """The output of the response `id`. `after`: id of the item that its items follow; None: they come last."""

    id: str
    request: ResponseRequest
    events: EventQueue
    conversation: Conversation
    playback: Playback
    after: str | None
    items: list[Item] = field(default_factory=list)
    """The complete items."""
    _message: Item | None = None
    _text: str = ""
    _calls: list[FunctionCall] = field(default_factory=list)
    _before: str | None = None
    """Id of the item before the one under way."""

    def __post_init__(self) -> None:
        self._spoken = self.request.answering.spoken
        self._encoder = OutputEncoder(self.request.answering.voice.format)

    def add_text(self, text: str) -> None:
        """Add words to the message: its text, or the transcript of its audio."""
        item = self._open_message()
        self._text += text
        self.events.put(OutputText(self.id, item.id, len(self.items), text, self._spoken))

    def add_audio(self, chunk: Chunk) -> None:
        """Add audio to the message and to the last clause of the playback."""
        for data in self._encoder.push(chunk):
            self._send_audio(data)

    def add_call(self, call: FunctionCall) -> None:
        """Keep a function call until the message is complete."""
        self._calls.append(call)

    def finish(self, status: ItemStatus) -> None:
        """The answer is complete: close the message and give out the function calls."""
        if self._message is not None and self._spoken:
            for data in self._encoder.flush():
                self._send_audio(data)
        self.close_message(status)
        for call in self._calls:
            self._give_call(call)

    def close_message(self, status: ItemStatus) -> None:
        """Close the message that is open. The conversation keeps the words that the listener heard of it."""
        if self._message is None:
            return
        timeline = self.playback.timeline
        part = Part("audio" if self._spoken else "text", self._text, seconds=timeline.duration)
        item = replace(self._message, status=status, parts=(part,), playout=timeline if self._spoken else None)
        self._message = None
        is_cut = self._spoken and (status == "incomplete" or self.playback.limit is not None)
        self._close(item, truncated(item, self.playback.length) if is_cut else item, self._spoken)

    def interrupt(self, live: bool) -> None:
        """Drop the audio that was not sent, and stop the playback. `live`: as in `Playback.interrupt`."""
        dropped = self.events.drop(lambda event: isinstance(event, OutputAudio) and event.response == self.id)
        unsent = sum(self._encoder.seconds(event.audio) for event in dropped if isinstance(event, OutputAudio))
        self.playback.interrupt(unsent, live)

    def truncate(self, item: str, seconds: float) -> float | None:
        """The listener hears only the first `seconds` of the open message. None where `item` is not that message."""
        if self._message is None or self._message.id != item or not self._spoken:
            return None
        return self.playback.truncate(seconds)

    def _send_audio(self, data: bytes) -> None:
        item = self._open_message()
        self.playback.add_audio(self._encoder.seconds(data))
        self.events.put(OutputAudio(self.id, item.id, len(self.items), data))

    def _open_message(self) -> Item:
        if self._message is None:
            self._message = Item(id=new_id("item"), role="assistant", status="in_progress")
            self._begin(self._message, self._spoken)
            self.playback.item = self._message.id if self._spoken else None
        return self._message

    def _give_call(self, call: FunctionCall) -> None:
        item = Item(
            id=new_id("item"),
            kind="call",
            role="assistant",
            status="in_progress",
            name=call.name,
            call_id=new_id("call"),
        )
        self._begin(item, False)
        self.events.put(OutputArguments(self.id, item.id, len(self.items), item.call_id, call.arguments))
        done = replace(item, status="completed", arguments=call.arguments)
        self._close(done, done, False)

    def _begin(self, item: Item, spoken: bool) -> None:
        out_of_band = self.request.out_of_band
        if not out_of_band:
            self._before = self.conversation.begin_output(item, self.after)
            self.after = item.id
        self.events.put(OutputStarted(self.id, item, len(self.items), self._before, out_of_band, spoken))

    def _close(self, item: Item, kept: Item, spoken: bool) -> None:
        """`kept` goes into the conversation, `item` to the client."""
        if not self.request.out_of_band:
            self.conversation.finish_output(kept)
        self.events.put(OutputDone(self.id, item, len(self.items), self._before, self.request.out_of_band, spoken))
        self.items.append(item)
