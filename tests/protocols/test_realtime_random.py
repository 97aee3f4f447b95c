"""Whatever a client sends, in whatever order: what the server says stays consistent, and it goes on answering."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from conversing import tone
from realtime_client import Json, Talk, talk

if TYPE_CHECKING:
    from conftest import Server

SPEECH, SILENCE = tone(0.3), tone(0.7, 0)
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}


def message(choose: random.Random, known: list[str], dialect: str = "ga") -> Json:
    """A message that a client could send, about an item that exists or not."""
    item = choose.choice([*known, "nobody"])
    sound = base64.b64encode(choose.choice([SPEECH, SILENCE, SPEECH[:777]])).decode()
    vad: Any = choose.choice([None, {"type": "server_vad", "silence_duration_ms": 200}, {"type": "semantic_vad"}])
    modality = modalities(choose.choice(["audio", "text"]), dialect)
    return choose.choice(
        [
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.commit"},
            {"type": "input_audio_buffer.clear"},
            {"type": "conversation.item.create", "item": ITEM, "previous_item_id": choose.choice([None, item])},
            {"type": "conversation.item.retrieve", "item_id": item},
            {"type": "conversation.item.delete", "item_id": item},
            {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 250},
            {"type": "response.create"},
            {"type": "response.create", "response": {"conversation": "none", **modality}},
            {"type": "response.create", "response": {"input": [ITEM], "metadata": {"a": "b"}}},
            {"type": "response.cancel"},
            {"type": "session.update", "session": turns(vad, dialect)},
            {"type": "session.update", "session": {**turns(vad, dialect), **modality}},
        ]
    )


def modalities(modality: str, dialect: str) -> Json:
    if dialect == "ga":
        return {"output_modalities": [modality]}
    return {"modalities": ["audio", "text"] if modality == "audio" else ["text"]}


def turns(vad: Any, dialect: str) -> Json:
    """A session's turn detection."""
    if dialect == "ga":
        return {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
    return {"turn_detection": vad}


class Book:
    """What the events so far say; raises AssertionError at the first that cannot be."""

    def __init__(self) -> None:
        self.items: dict[str, Json] = {}
        self.opened: dict[str, set[str]] = {}
        self.closed: set[str] = set()
        self.inside: set[str] = set()
        self.outputs: dict[str, str] = {}
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
            assert event["item"]["id"] not in self.items
            assert event["previous_item_id"] is None or event["previous_item_id"] in self.items
            self.items[event["item"]["id"]] = event["item"]
        elif kind == "conversation.item.deleted":
            del self.items[event["item_id"]]
        elif kind in ("conversation.item.retrieved", "conversation.item.truncated"):
            assert event.get("item_id", event.get("item", {}).get("id")) in self.items
        elif kind == "input_audio_buffer.speech_started":
            assert self.speaking is None
            self.speaking = event["item_id"]
        elif kind in ("input_audio_buffer.committed", "input_audio_buffer.cleared"):
            assert kind.endswith("cleared") or self.speaking in (None, event["item_id"])
            self.speaking = None
        elif kind == "session.updated":
            session = event["session"]
            heard = session["audio"]["input"] if "audio" in session else session
            self.speaking = None if heard["turn_detection"] is None else self.speaking

    def _created(self, response: Json) -> None:
        assert response["id"] not in self.opened
        self.opened[response["id"]] = set()
        if response["conversation_id"] is not None:
            assert not self.inside, "two responses of the conversation at once"
            self.inside.add(response["id"])

    def _done(self, response: Json) -> None:
        id = response["id"]
        assert id in self.opened and id not in self.closed
        assert not self.opened[id], "a response ended before its items"
        self.closed.add(id)
        for item in response["output"]:
            if item["id"] in self.items:
                self.items[item["id"]] = item
        self.inside.discard(id)
        assert [item["id"] for item in response["output"]] == [
            item for item, owner in self.outputs.items() if owner == id
        ]

    def _output(self, kind: str, event: Json) -> None:
        id = event["response_id"]
        assert id in self.opened, f"{kind} of a response that was not created"
        assert id not in self.closed, f"{kind} after response.done"
        if kind == "response.output_item.added":
            assert not self.opened[id]
            self.opened[id].add(event["item"]["id"])
            self.outputs[event["item"]["id"]] = id
        elif kind == "response.output_item.done":
            self.opened[id].remove(event["item"]["id"])
        else:
            assert self.opened[id] == {event["item_id"]}


async def consistent(ws: Talk, choose: random.Random, count: int) -> None:
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
            await ws.socket.send(json.dumps(message(choose, sorted(book.items), ws.dialect)))
            if choose.random() < 0.3:
                await asyncio.sleep(choose.random() * 0.05)
        await ws.send("session.update", session=turns(None, ws.dialect))
        await ws.send("response.cancel")
        await settled(ws, listening, "sent")
        async with asyncio.timeout(20):
            while not (listening.done() or (read and not book.opened.keys() - book.closed)):
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
    async with asyncio.timeout(20):
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
    assert not refused & book.items.keys()
    assert (book.outputs.keys() & set(asked)) - book.items.keys() <= refused  # deleted, or outside the conversation


SEEDS = range(3) if os.environ.get("CI") else [random.randrange(1_000_000) for _ in range(3)]
"""On CI the same every time; elsewhere new ones, named by the tests."""


@pytest.mark.parametrize("dialect", ["ga", "beta"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_of_messages(conversing: Server, seed: int, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, instructions="work=0.002") as ws:
        await consistent(ws, random.Random(seed), 150)


def broken(choose: random.Random) -> str | bytes:
    """A message with something wrong in it, mostly."""
    whole = message(choose, ["root", ""])
    kind = choose.randrange(6)
    if kind == 0:
        return json.dumps(whole)[: choose.randrange(40)]
    if kind == 1:
        return bytes(choose.randrange(256) for _ in range(choose.randrange(40)))
    if kind == 2:
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


async def test_ten_thousand_broken_messages(conversing: Server) -> None:
    choose = random.Random(0)
    async with talk(conversing.url, output_modalities=["text"]) as ws:

        async def drain() -> None:
            while True:
                await ws.next()
                del ws.events[:-10]

        draining = asyncio.create_task(drain())
        for number in range(10_000):
            await ws.socket.send(broken(choose))
            if number % 200 == 0:
                await asyncio.sleep(0)
            assert not draining.done(), draining.exception()
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        await ws.send("input_audio_buffer.clear", event_id="last")
        await ws.send("session.update", session={"type": "realtime", "instructions": "the end"})
        while (await ws.until("session.updated"))["session"]["instructions"] != "the end":
            pass
