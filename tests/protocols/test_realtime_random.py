"""Whatever a client sends, in whatever order: what the server says stays consistent, and it goes on answering."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from support.realtime_client import Json, Talk, talk
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

SPEECH, SILENCE = tone(0.3), tone(0.7, 0)
CALLS = "".join(f'|<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>' for name in ("f", "g"))
TEXTS = ("hello", f"say One moment. {CALLS}")
TOOLS = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]


@dataclass(frozen=True)
class Kind:
    """Of session, and how it is updated."""

    dialect: str
    transcribes: bool = False

    def __str__(self) -> str:
        return f"{self.dialect} transcription" if self.transcribes else self.dialect

    @property
    def query(self) -> str:
        return "?intent=transcription" if self.transcribes else ""

    @property
    def session(self) -> Json:
        """As it begins."""
        if self.transcribes:
            return {}
        if self.dialect == "beta":
            return {"instructions": "work=0.002", "voice": "work=0.004", "input_audio_transcription": {}}
        audio = {"input": {"transcription": {}}, "output": {"voice": "work=0.004"}}
        return {"instructions": "work=0.002", "audio": audio}

    @property
    def turns(self) -> list[Json | None]:
        """Turn detections; OpenAI's beta transcription knows no semantic ones."""
        semantic = [] if self == Kind("beta", transcribes=True) else [{"type": "semantic_vad"}]
        return [None, {"type": "server_vad", "silence_duration_ms": 200}, *semantic]

    def modalities(self, modality: str) -> Json:
        if self.dialect == "ga":
            return {"output_modalities": [modality]}
        return {"modalities": ["audio", "text"] if modality == "audio" else ["text"]}

    def update(self, vad: Any, modality: str | None = None) -> Json:
        """The message that sets turn detection and, given, the modality."""
        if self.dialect == "beta":
            kind, session = "transcription_session" if self.transcribes else "session", {"turn_detection": vad}
        else:
            kind, audio = "session", {"input": {"turn_detection": vad}}
            session = {"type": "transcription" if self.transcribes else "realtime", "audio": audio}
        answers = self.modalities(modality) if modality and not self.transcribes else {}
        return {"type": f"{kind}.update", "session": {**session, **answers}}


Make = Callable[[random.Random, list[str], Kind], Json | str | bytes]
"""What is sent next, given the items that are known."""
KINDS = [Kind(dialect, transcribes) for transcribes in (False, True) for dialect in ("ga", "beta")]


def message(choose: random.Random, known: list[str], kind: Kind) -> Json:
    """A message that a client could send, about an item that exists or not."""
    item = choose.choice([*known, "nobody"])
    said = choose.choice([id for id in known if id.startswith("item_")] or [item])
    sound = base64.b64encode(choose.choice([SPEECH, SILENCE, SPEECH[:777]])).decode()
    vad = choose.choice(kind.turns)
    modality = choose.choice(["audio", "text"])
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": choose.choice(TEXTS)}]}
    mine = {"id": f"mine_{choose.randrange(10**12)}", **text}
    return choose.choice(
        [
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.commit"},
            {"type": "input_audio_buffer.clear"},
            {"type": "conversation.item.create", "item": mine, "previous_item_id": choose.choice([None, item])},
            {"type": "conversation.item.retrieve", "item_id": item},
            {"type": "conversation.item.delete", "item_id": item},
            {"type": "conversation.item.truncate", "item_id": said, "content_index": 0, "audio_end_ms": 250},
            {"type": "response.create"},
            {"type": "response.create", "response": {"conversation": "none", **kind.modalities(modality)}},
            {"type": "response.create", "response": {"input": [text], "metadata": {"a": "b"}, "tools": TOOLS}},
            {"type": "response.cancel"},
            kind.update(vad),
            kind.update(vad, modality),
        ]
    )


def words_of(item: Json) -> str:
    """Text, transcripts or arguments."""
    if item["type"] == "function_call":
        return str(item["arguments"])
    return "".join(part.get("text") or part.get("transcript") or "" for part in item["content"])


@dataclass
class Output:
    """An item of a response, as its events tell it."""

    response: str
    index: int
    words: str = ""
    milliseconds: float = 0.0
    """Of audio."""
    done: set[str] = field(default_factory=set)
    item: Json = field(default_factory=dict)
    """At its end."""


WHOLE = ({"text", "content_part"}, {"audio", "audio_transcript", "content_part"}, {"function_call_arguments"})
"""What is told to be done of an item."""


class Book:
    """What the events so far say; raises AssertionError at the first that cannot be."""

    def __init__(self) -> None:
        self.wanted: dict[str, str | None] = {}
        """What the client named its items, and where it wants them."""
        self.items: dict[str, Json] = {}
        self.order: list[str] = []
        self.opened: dict[str, set[str]] = {}
        self.closed: set[str] = set()
        self.inside: set[str] = set()
        self.after: dict[str, str | None] = {}
        """The item that a response stands behind, unless it has an input of its own."""
        self.playing: set[str] = set()
        """The responses that speech may interrupt, or cut while they are still played."""
        self.outputs: dict[str, Output] = {}
        self.cut: dict[str, int] = {}
        """Milliseconds after which the client did not hear an item."""
        self.spoken_over: set[str] = set()
        """Responses."""
        self.heard: dict[str, str | None] = {}
        """The words of turns; None while they are not known."""
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


async def consistent(ws: Talk, kind: Kind, choose: random.Random, make: Make, count: int, pause: float) -> None:
    """Sends `count` messages, now and then after a pause, and compares all that is told."""
    book, read = Book(), 0

    async def listen() -> None:
        nonlocal read
        while True:
            await ws.next()
            for event in ws.events[read:]:
                book.read(event)
            read = len(ws.events)

    listening = asyncio.create_task(listen())
    try:
        for _ in range(count):
            assert not listening.done(), listening.exception()
            given = make(choose, sorted(book.items), kind)
            if isinstance(given, dict) and given["type"] == "conversation.item.create":
                book.wanted[given["item"]["id"]] = given["previous_item_id"]
            await ws.socket.send(json.dumps(given) if isinstance(given, dict) else given)
            if choose.random() < 0.3:
                await asyncio.sleep(choose.random() * pause)
        await ws.socket.send(json.dumps(kind.update(None, "audio")))
        await ws.send("input_audio_buffer.clear")
        await ws.send("response.cancel")
        await settled(ws, listening, "sent")
        async with asyncio.timeout(20):
            while not (listening.done() or (read and book.over)):
                await asyncio.sleep(0.02)
        await same(ws, book, listening)
        errors = [event["error"] for event in ws.of("error")]
        assert not [error for error in errors if error["type"] != "invalid_request_error" and error["code"] != "busy"]
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def settled(ws: Talk, listening: asyncio.Task[None], mark: str) -> None:
    """Returns when everything sent so far was worked on: the session does one thing after the other."""
    await ws.send("conversation.item.retrieve", item_id="nobody", event_id=mark)
    async with asyncio.timeout(30):
        while not (listening.done() or any(event["error"].get("event_id") == mark for event in ws.of("error"))):
            await asyncio.sleep(0.02)


async def same(ws: Talk, book: Book, listening: asyncio.Task[None]) -> None:
    """What the server holds is what the events said, and nothing else."""
    asked = [*book.items, *book.outputs]
    for id in asked:
        await ws.send("conversation.item.retrieve", item_id=id, event_id=f"about {id}")
    await settled(ws, listening, "last")
    assert not listening.done(), listening.exception()
    held = {event["item"]["id"]: event["item"] for event in ws.of("conversation.item.retrieved")}
    refused = {(event["error"]["event_id"] or "").removeprefix("about ") for event in ws.of("error")}
    for id, item in ((id, item) for id, item in book.items.items() if id in asked):
        assert (held[id]["type"], held[id].get("role")) == (item["type"], item.get("role"))
        assert held[id]["status"] == item["status"]
        if id in book.outputs:
            kept(book, id, words_of(held[id]))
        else:
            assert words_of(held[id]) == book.heard.get(id, words_of(item))
    assert not refused & book.items.keys()
    assert (book.outputs.keys() & set(asked)) - book.items.keys() <= refused  # deleted, or outside the conversation


def kept(book: Book, id: str, words: str) -> None:
    """Of an answer all is kept, unless it was spoken and its listener did not hear the end."""
    output = book.outputs[id]
    assert output.words.startswith(words)
    if id in book.cut:
        assert len(words.split()) <= 2 + book.cut[id] / 50
    elif "text" in output.done or (output.item["status"] == "completed" and output.response not in book.spoken_over):
        assert words == output.words


async def lives(ws: Talk, kind: Kind) -> None:
    """What is written and what is spoken is answered, or at least heard."""
    if not kind.transcribes:
        await ws.say("the end")
        await ws.send("response.create")
        response = (await ws.until("response.done"))["response"]
        assert response["status"] == "completed"
        assert words_of(response["output"][0]).startswith("You said: the end.")
        await ws.say(TEXTS[1])
        await ws.send("response.create", response={"tools": TOOLS})
        response = (await ws.until("response.done"))["response"]
        assert [item.get("name") for item in response["output"]] == [None, "f", "g"]
    await ws.socket.send(json.dumps(kind.update({"type": "server_vad", "silence_duration_ms": 200})))
    await ws.play(tone(0.6) + tone(0.5, 0))
    completed = await ws.until("conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == words(0.6)
    if not kind.transcribes:
        response = (await ws.until("response.done"))["response"]
        assert words_of(response["output"][0]).startswith(f"You said: {words(0.6)}.")


SEEDS = range(3) if os.environ.get("CI") else [random.randrange(1_000_000) for _ in range(3)]
"""On CI the same every time; elsewhere new ones, named by the tests."""


@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_of_messages(conversing: Server, seed: int, kind: Kind) -> None:
    async with talk(conversing.url, kind.query, kind.dialect, **kind.session) as ws:
        await consistent(ws, kind, random.Random(seed), message, 150, 0.05)
        await lives(ws, kind)


def broken(choose: random.Random, known: list[str], kind: Kind) -> str | bytes:
    """A message with something wrong in it, mostly."""
    whole = message(choose, [*known, "root", ""], kind)
    how = choose.randrange(6)
    if how == 0:
        return json.dumps(whole)[: choose.randrange(40)]
    if how == 1:
        return bytes(choose.randrange(256) for _ in range(choose.randrange(40)))
    if how == 2:
        return json.dumps(choose.choice([None, [], 3, "x", {}, {"type": None}, {"type": 7}, {"type": "x" * 300}]))
    target = whole
    while True:
        key = choose.choice(list(target))
        if isinstance(target[key], dict) and target[key] and choose.random() < 0.7:
            target = target[key]
            continue
        values = [None, [], {}, "", "\ud800", -1, 1e308, 10**30, True, [whole.get("type")], {"type": "x"}]
        target[key] = choose.choice(values)
        return json.dumps(whole)


def whole_or_broken(choose: random.Random, known: list[str], kind: Kind) -> Json | str | bytes:
    return choose.choice([message, broken])(choose, known, kind)


@pytest.mark.parametrize(("kind", "count"), [*zip(KINDS, (4000, 4000, 1000, 1000), strict=True)], ids=str)
async def test_ten_thousand_messages_half_of_them_broken(conversing: Server, kind: Kind, count: int) -> None:
    async with talk(conversing.url, kind.query, kind.dialect, **kind.session) as ws:
        await consistent(ws, kind, random.Random(0), whole_or_broken, count, 0.004)
        await lives(ws, kind)
