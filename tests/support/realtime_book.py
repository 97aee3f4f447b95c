"""Follows the events of /v1/realtime and checks that they are consistent with each other."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from support.realtime_client import Json


def words_of(item: Json) -> str:
    """Text, transcripts or arguments."""
    if item["type"] == "function_call":
        return str(item["arguments"])
    return "".join(part.get("text") or part.get("transcript") or "" for part in item["content"])


@dataclass
class Output:
    """An item of a response, as its events describe it."""

    response: str
    index: int
    words: str = ""
    milliseconds: float = 0.0
    """Length of the audio."""
    done: set[str] = field(default_factory=set)
    item: Json = field(default_factory=dict)
    """The item in its `done` event."""


WHOLE = ({"text", "content_part"}, {"audio", "audio_transcript", "content_part"}, {"function_call_arguments"})
"""The parts that `done` events report for an item: of text, speech or a function call."""


class Book:
    """The state of the conversation that the events describe. AssertionError at the first inconsistent event."""

    def __init__(self) -> None:
        self.wanted: dict[str, str | None] = {}
        """Ids that the client chose for its items, and the item it put each after."""
        self.items: dict[str, Json] = {}
        self.order: list[str] = []
        self.opened: dict[str, set[str]] = {}
        self.closed: set[str] = set()
        self.inside: set[str] = set()
        self.after: dict[str, str | None] = {}
        """The item that a response follows, unless the response has its own input."""
        self.playing: set[str] = set()
        """Responses that speech may interrupt, or truncate while they play."""
        self.outputs: dict[str, Output] = {}
        self.cut: dict[str, int] = {}
        """Milliseconds of each truncated item that were played."""
        self.spoken_over: set[str] = set()
        """Responses that speech interrupted."""
        self.heard: dict[str, str | None] = {}
        """Transcript of each turn; None until it is complete."""
        self.speaking: str | None = None

    def read(self, event: Json) -> None:
        kind = event["type"]
        if kind == "response.created":
            self._created(event["response"])
        elif kind == "response.done":
            self._done(event["response"])
        elif kind.startswith("response."):
            self._output(kind, event)
        elif kind in ("conversation.item.added", "conversation.item.created"):
            self._added(event["item"], event["previous_item_id"])
        elif kind == "conversation.item.deleted":
            del self.items[event["item_id"]]
            self.order.remove(event["item_id"])
        elif kind == "conversation.item.retrieved":
            assert event["item"]["id"] in self.items
        elif kind == "conversation.item.truncated":
            assert event["item_id"] in self.items
            assert 0 <= event["audio_end_ms"] <= self.outputs[event["item_id"]].milliseconds + 1
            self.cut[event["item_id"]] = event["audio_end_ms"]
        elif kind.startswith("conversation.item.input_audio_transcription."):
            self._transcribed(kind, event)
        elif kind == "input_audio_buffer.speech_started":
            assert self.speaking is None
            self.speaking = event["item_id"]
            self.spoken_over |= self.playing
            self.playing = set()
        elif kind == "input_audio_buffer.committed":
            assert self.speaking in (None, event["item_id"])
            assert event["previous_item_id"] == self._last
            self.heard[event["item_id"]] = self.speaking = None
        elif kind == "input_audio_buffer.cleared":
            self.speaking = None
        elif kind.endswith("session.updated"):
            session = event["session"]
            heard = session["audio"]["input"] if "audio" in session else session
            self.speaking = None if heard["turn_detection"] is None else self.speaking

    @property
    def over(self) -> bool:
        """Whether nothing is awaited."""
        return not self.opened.keys() - self.closed and None not in self.heard.values()

    @property
    def _last(self) -> str | None:
        return self.order[-1] if self.order else None

    def _added(self, item: Json, before: str | None) -> None:
        id = item["id"]
        assert id not in self.items
        assert before is None or before in self.items
        if id in self.outputs:
            response = self.outputs[id].response
            assert before in (self.after[response], self._last)
            self.after[response] = id
        elif id in self.heard:
            assert before == self._last
        elif id in self.wanted:
            assert before == (self.wanted[id] or self._last)
        self.items[id] = item
        self.order.insert(self.order.index(before) + 1 if before else 0, id)

    def _transcribed(self, kind: str, event: Json) -> None:
        id = event["item_id"]
        assert self.heard[id] is None, "words after the last"
        if kind.endswith("completed"):
            self.heard[id] = event["transcript"]

    def _created(self, response: Json) -> None:
        assert response["id"] not in self.opened
        self.opened[response["id"]] = set()
        if response["conversation_id"] is not None:
            assert not self.inside, "two responses of the conversation at once"
            self.inside.add(response["id"])
            self.playing.add(response["id"])
            self.after[response["id"]] = self._last

    def _done(self, response: Json) -> None:
        id = response["id"]
        assert id in self.opened and id not in self.closed
        assert not self.opened[id], "a response ended before its items"
        self.closed.add(id)
        self.inside.discard(id)
        assert response["output"] == [output.item for output in self.outputs.values() if output.response == id]

    def _output(self, kind: str, event: Json) -> None:
        what, _, how = kind.removeprefix("response.").replace("output_", "").partition(".")
        response, index = event["response_id"], event["output_index"]
        assert response in self.opened, f"{kind} of a response that was not created"
        assert response not in self.closed, f"{kind} after response.done"
        id = event["item"]["id"] if what == "item" else event["item_id"]
        if (what, how) == ("item", "added"):
            assert not self.opened[response]
            assert index == sum(output.response == response for output in self.outputs.values())
            self.opened[response].add(id)
            self.outputs[id] = Output(response, index)
        assert self.opened[response] == {id}
        output = self.outputs[id]
        assert (output.response, output.index, event.get("content_index", 0)) == (response, index, 0)
        assert what not in output.done, f"{kind} after its end"
        if how == "delta" and what == "audio":
            output.milliseconds += len(base64.b64decode(event["delta"])) / 48
        elif how == "delta":
            output.words += event["delta"]
        elif how == "done":
            output.done.add(what)
            part = event.get("part", event)
            whole = words_of(event["item"]) if what == "item" else _words(part)
            assert whole in (None, output.words)
        if (what, how) == ("item", "done"):
            assert output.done - {"item"} in WHOLE
            self.opened[response].remove(id)
            output.item = event["item"]
            if id in self.items:
                self.items[id] = output.item


def _words(done: Json) -> str | None:
    """What was said in all; None where it is audio."""
    return next((done[name] for name in ("text", "transcript", "arguments") if name in done), None)
