"""OpenAI's Agents SDK for Python: its realtime runner against the server, as an application drives it.

It has no transcription sessions: its sessions are always of the kind that answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeModelSendRawMessage, RealtimeRunner
from support.realtime_client import Json, check, loudest
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


async def run(server: Server, settings: dict[str, Any], **agent: Any) -> Any:
    runner = RealtimeRunner(
        RealtimeAgent(name="Assistant", **agent),
        config={"model_settings": settings, "tracing_disabled": True},  # type: ignore[arg-type]
    )
    url = server.url.replace("http", "ws") + "/v1/realtime?model=local"
    return await runner.run(model_config={"api_key": "any", "url": url})


async def until(session: Any, wanted: Callable[[Any], bool]) -> list[Any]:
    events = []
    async with asyncio.timeout(20):
        async for event in session:
            events.append(event)
            assert event.type != "error", event
            for told in raw([event]):
                check(told, "ga")
            if wanted(event):
                return events
    raise AssertionError("the session ended")


def raw(events: list[Any]) -> list[Json]:
    """What the server sent, as it came."""
    told = [event.data for event in events if event.type == "raw_model_event"]
    return [event.data for event in told if event.type == "raw_server_event"]


def kind(name: str) -> Callable[[Any], bool]:
    return lambda event: event.type == name


async def test_text_turn(conversing: Server) -> None:
    async with await run(conversing, {}, instructions="work=0.01") as session:
        await session.send_message("good morning")
        events = await until(session, kind("audio_end"))
        audio = b"".join(event.audio.data for event in events if event.type == "audio")
        assert len(audio) > 24000 and loudest(audio) > 16000
        events += await until(session, kind("agent_end"))
        assert any(answered(event, "You said: good morning. Well, that is what I heard.") for event in events)


async def test_manual_turn(conversing: Server) -> None:
    async with await run(conversing, {"audio": {"input": {"turn_detection": None}}}) as session:
        await session.send_audio(tone(0.4), commit=True)
        await session.model.send_event(RealtimeModelSendRawMessage(message={"type": "response.create"}))
        await until(session, lambda event: answered(event, f"You said: {words(0.4)}."))


async def test_found_turn_and_interruption(conversing: Server) -> None:
    heard = {"turn_detection": {"type": "server_vad", "interrupt_response": True}}
    async with await run(conversing, heard, instructions="work=0.05") as session:
        await session.send_audio(tone(0.5) + tone(0.8, 0))
        events = await until(session, kind("audio"))
        await session.send_audio(tone(0.4))
        events += await until(session, kind("audio_interrupted"))
        await session.send_audio(tone(0.8, 0))
        events += await until(session, kind("agent_end"))
        events += await until(session, kind("agent_end"))
        done = [told["response"]["status"] for told in raw(events) if told["type"] == "response.done"]
        assert done == ["cancelled", "completed"]
        assert any(answered(event, f"You said: {words(0.4)}.") for event in events)
        history = [event for event in events if event.type == "history_updated"][-1].history
        user = [item for item in history if item.role == "user"]
        assert [item.content[0].transcript for item in user] == [words(0.5), words(0.4)]


async def test_tool(conversing: Server) -> None:
    async with await run(conversing, {}, tools=[get_weather]) as session:
        await session.send_message("the weather, please")
        events = await until(session, kind("tool_end"))
        assert events[-1].output == "rain in Paris"
        await until(session, lambda event: answered(event, "The tool said: rain in Paris."))


def answered(event: Any, start: str) -> bool:
    """Whether the history that the event tells has an answer that begins so."""
    if event.type != "history_updated":
        return False
    messages = [item for item in event.history if item.type == "message" and item.role == "assistant"]
    return any((part.transcript or "").startswith(start) for item in messages for part in item.content)
