"""Realtime conversations that break in an answer, a function call or in speech: nothing is lost or comes twice."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from protocols.conftest import Server
from support.cut_proxy import CutProxy, cut_proxy
from support.resuming import Line
from support.scripted_conversation import tone, words

Json = dict[str, Any]
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
TEXT = [f"Sentence {number} has six words here. " for number in range(6)]
SECONDS = 0.1 * 36
"""Of the answer with TEXT."""


class Talk:
    """A client of /v1/realtime that keeps every event."""

    def __init__(self, proxy: CutProxy, line: Line) -> None:
        self.proxy = proxy
        self.line = line
        self.events: list[Json] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.line.send(json.dumps({"type": kind, **fields}))

    async def ask(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create")

    async def until(self, kind: str, count: int = 1) -> list[Json]:
        """The events up to the next `count` of a kind."""
        found: list[Json] = []
        async with asyncio.timeout(20):
            while sum(event["type"] == kind for event in found) < count:
                found.append(json.loads(await self.line.recv()))
                assert found[-1]["type"] != "error", found[-1]
        self.events += found
        return found

    async def cut(self, by: str = "event") -> None:
        """Break the connection and come back. `by`: how the server is told what came: "event", "count" or "nothing"."""
        self.proxy.cut()
        queries = {"event": f"&last_event_id={self.events[-1]['event_id']}", "count": "", "nothing": "&x="}
        await self.line.come_back(queries[by])

    def heard(self) -> tuple[str, float]:
        """The words and the seconds of the answers."""
        told = [event for event in self.events if event["type"] == "response.output_audio_transcript.delta"]
        sound = [event for event in self.events if event["type"] == "response.output_audio.delta"]
        pcm16 = b"".join(base64.b64decode(event["delta"]) for event in sound)
        return "".join(event["delta"] for event in told), len(pcm16) / 48000

    def check(self) -> None:
        ids = [event["event_id"] for event in self.events]
        assert len(ids) == len(set(ids)), "an event came twice"


@asynccontextmanager
async def talking(server: Server, **session: Any) -> AsyncIterator[Talk]:
    async with cut_proxy(server.url) as proxy:
        line = Line(proxy.url, "/v1/realtime?model=gpt-realtime")
        await line.open()
        talk = Talk(proxy, line)
        await talk.until("session.created")
        assert talk.events[0]["session"]["id"] == line.id
        await talk.send("session.update", session={"type": "realtime", **session})
        await talk.until("session.updated")
        yield talk
        talk.check()
        await line.close()


@pytest.mark.parametrize("by", ["event", "count", "nothing"])
async def test_an_answer_goes_on_where_the_client_was(listening: Server, by: str) -> None:
    async with talking(listening, instructions="work=0.05") as talk:
        await talk.ask("say " + "|".join(TEXT))
        await talk.until("response.output_audio.delta", 2)
        await talk.cut(by)
        greeting = talk.line.greetings[0]
        assert greeting["type"] == "session.created" and greeting["session"]["id"] == talk.line.id
        assert greeting["resumed"]["received"] == 3
        await talk.until("response.output_audio.delta", 3)
        talk.proxy.swallow()
        await asyncio.sleep(0.2)  # more of it is on its way, and will not come
        await talk.cut(by)
        await talk.cut(by)
        await talk.until("response.done")
        assert talk.heard() == ("".join(TEXT).strip(), pytest.approx(SECONDS))
        assert by == "nothing" or talk.line.doubled == 0


async def test_an_answer_to_nobody_waits_whole(listening: Server) -> None:
    async with talking(listening) as talk:
        await talk.ask("say " + "|".join(TEXT))
        await talk.until("response.created")
        talk.proxy.swallow()
        await asyncio.sleep(1.0)
        await talk.cut()
        done = (await talk.until("response.done"))[-1]
        assert done["response"]["status"] == "completed"
        assert talk.heard() == ("".join(TEXT).strip(), pytest.approx(SECONDS))


async def test_a_function_call_goes_on(listening: Server) -> None:
    """In the call, and with its result on the way to the server."""
    async with talking(listening, tools=[TOOL], instructions="work=0.1") as talk:
        await talk.ask("What is the weather?")
        await talk.until("response.created")
        await talk.cut()
        await talk.until("response.done")
        (call,) = [event for event in talk.events if event["type"] == "response.function_call_arguments.done"]
        assert json.loads(call["arguments"]) == {"city": "Paris"}
        talk.proxy.swallow()
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
        await talk.send("conversation.item.create", item=output)
        await talk.send("response.create")
        await talk.cut()
        assert talk.line.greetings[-1]["resumed"]["received"] == len(talk.line.sent) - 2
        await talk.until("response.done")
        assert talk.heard()[0] == "The tool said: rain. That is all."


async def test_a_turn_goes_on_and_is_answered(listening: Server) -> None:
    """The client speaks, loses the connection twice, and speaks on."""
    async with talking(listening, audio={"input": {"transcription": {"model": "whisper-1"}}}) as talk:
        pcm16 = tone(1.5) + tone(1.0, level=0.0)
        for place in range(0, len(pcm16), 4800):
            audio = base64.b64encode(pcm16[place : place + 4800]).decode()
            await talk.send("input_audio_buffer.append", audio=audio)
            if place // 4800 == 3:
                talk.proxy.swallow()
            if place // 4800 in (6, 11):
                await talk.cut()
        await talk.until("response.done")
        events = {event["type"]: event for event in talk.events}
        completed = events["conversation.item.input_audio_transcription.completed"]
        assert completed["transcript"].strip() == words(1.5)
        starts = [event["type"] for event in talk.events if event["type"] == "input_audio_buffer.speech_started"]
        assert len(starts) == 1


async def test_openais_own_client_comes_back(listening: Server) -> None:
    """It needs the query alone."""
    async with cut_proxy(listening.url) as proxy:
        address = proxy.url.replace("http", "ws") + "/v1"
        client = AsyncOpenAI(api_key="any", base_url=f"{proxy.url}/v1", websocket_base_url=address)
        async with client.realtime.connect(model="gpt-realtime") as first:
            created: Any = await first.recv()
            await first.session.update(session={"type": "realtime", "instructions": "work=0.05"})
            text = {"type": "input_text", "text": "say " + "|".join(TEXT)}
            item: Any = {"type": "message", "role": "user", "content": [text]}
            await first.conversation.item.create(item=item)
            await first.response.create()
            events: list[Any] = []
            while not events or events[-1].type != "response.output_audio.delta":
                events.append(await first.recv())
            proxy.cut()
        query: Any = {"session_id": created.session.id, "last_event_id": events[-1].event_id}
        async with client.realtime.connect(model="gpt-realtime", extra_query=query) as second:
            again: Any = await second.recv()
            assert again.type == "session.created" and again.session.id == created.session.id
            while events[-1].type != "response.done":
                events.append(await second.recv())
    said = [event.delta for event in events if event.type == "response.output_audio_transcript.delta"]
    assert "".join(said) == "".join(TEXT).strip()
