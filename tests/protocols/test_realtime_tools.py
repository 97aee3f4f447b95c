"""Which events come, and in which order, when a response calls functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.realtime_client import talk
from support.realtime_order import ANSWER, DIALECTS, assert_linked, named, since

if TYPE_CHECKING:
    from protocols.conftest import Server

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}

CALLED = (
    "response.output_item.added",
    "conversation.item.added",
    "delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
)


@DIALECTS
async def test_tools(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, tools=[TOOL]) as ws:
        await ws.say("What is the weather in Paris?")
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert since(ws, "response.created") == named(dialect, "response.created", *CALLED, "response.done")
        opened = ws.of("response.output_item.added")[0]["item"]
        assert (opened["status"], opened["arguments"]) == ("in_progress", "")
        (call,) = done["response"]["output"]
        assert (call["type"], call["status"], call["name"]) == ("function_call", "completed", "get_weather")
        assert call["arguments"] == '{"city": "Paris"}'
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        await ws.send("conversation.item.create", item=output)
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"].startswith("The tool said: sunny.")
        assert_linked(ws)


@DIALECTS
async def test_an_answer_that_speaks_and_calls_twice(conversing: Server, dialect: str) -> None:
    cities = [json.dumps({"city": city}) for city in ("Paris", "Rome")]
    calls = [f'<tool_call>\n{{"name": "get_weather", "arguments": {city}}}\n</tool_call>' for city in cities]
    async with talk(conversing.url, dialect=dialect, tools=[TOOL]) as ws:
        await ws.say("|".join(["say Let me see. ", *calls]))
        await ws.send("response.create")
        output = (await ws.until("response.done"))["response"]["output"]
        assert since(ws, "response.created") == named(
            dialect,
            *ANSWER[:-1],
            *CALLED,
            *CALLED,
            "response.done",
        )
        assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
        assert [item["arguments"] for item in output[1:]] == cities
        assert len({item["call_id"] for item in output[1:]}) == 2
        placed = [
            (event["output_index"], event["item_id"] if "item_id" in event else event["item"]["id"])
            for event in ws.events
            if "output_index" in event
        ]
        assert placed == sorted(placed, key=lambda place: place[0])
        assert set(placed) == set(enumerate(item["id"] for item in output))
        assert_linked(ws)
