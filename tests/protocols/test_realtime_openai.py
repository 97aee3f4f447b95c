"""OpenAI's own Python client, GA and beta, through every kind of turn."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI
from support.realtime_client import check, loudest
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

NEW = {
    "beta": ("response.audio.delta", "response.audio_transcript.delta"),
    "ga": ("response.output_audio.delta", "response.output_audio_transcript.delta"),
}
COMPLETED = "conversation.item.input_audio_transcription.completed"
TOOL: Any = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


def connect(server: Server, dialect: str, **query: Any) -> Any:
    client = AsyncOpenAI(
        api_key="any", base_url=f"{server.url}/v1", websocket_base_url=server.url.replace("http", "ws") + "/v1"
    )
    if dialect == "beta":
        return client.beta.realtime.connect(model="gpt-4o-realtime-preview", **query)
    return client.realtime.connect(model="gpt-realtime", **query)


async def until(connection: Any, dialect: str, *kinds: str) -> list[Any]:
    """Events up to the first of `kinds`, each as it came on the wire checked, then read by the client."""
    events: list[Any] = []
    async with asyncio.timeout(20):
        while not events or events[-1].type not in kinds:
            message = await connection.recv_bytes()
            check(json.loads(message), dialect)
            events.append(connection.parse_event(message))
            assert events[-1].type != "error", events[-1]
    return events


async def update(connection: Any, dialect: str, turns: str | None, **fields: Any) -> None:
    detection: Any = turns and {"type": turns}
    if dialect == "beta":
        session: Any = {"turn_detection": detection, "input_audio_transcription": {"model": "whisper-1"}, **fields}
    else:
        heard = {"turn_detection": detection, "transcription": {"model": "whisper-1"}}
        session = {"type": "realtime", "audio": {"input": heard}, **fields}
    await connection.session.update(session=session)
    await until(connection, dialect, "session.updated")


async def play(connection: Any, pcm16: bytes) -> None:
    for start in range(0, len(pcm16), 4800):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm16[start : start + 4800]).decode())


async def say(connection: Any, text: str) -> None:
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )


def heard(events: list[Any], dialect: str) -> tuple[bytes, str]:
    audio, text = NEW[dialect]
    pcm16 = b"".join(base64.b64decode(event.delta) for event in events if event.type == audio)
    return pcm16, "".join(event.delta for event in events if event.type == text)


pytestmark = pytest.mark.parametrize("dialect", ["ga", "beta"])


async def test_text_turn(conversing: Server, dialect: str) -> None:
    async with connect(conversing, dialect) as connection:
        await say(connection, "good morning")
        await connection.response.create()
        pcm16, text = heard(await until(connection, dialect, "response.done"), dialect)
        assert text.startswith("You said: good morning.")
        assert len(pcm16) == len(text.split()) * 4800
        assert loudest(pcm16) > 16000


async def test_manual_turn(conversing: Server, dialect: str) -> None:
    async with connect(conversing, dialect) as connection:
        await update(connection, dialect, None)
        await play(connection, tone(0.4))
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        _, text = heard(await until(connection, dialect, "response.done"), dialect)
        assert text.startswith(f"You said: {words(0.4)}.")


async def test_found_turn_and_interruption(conversing: Server, dialect: str) -> None:
    async with connect(conversing, dialect) as connection:
        await update(connection, dialect, "server_vad")
        await play(connection, tone(0.4) + tone(0.8, 0))
        events = await until(connection, dialect, "response.done")
        assert events[-1].response.status == "completed"
        _, text = heard(events, dialect)
        assert text.startswith(f"You said: {words(0.4)}.")
        assert [event.transcript for event in events if event.type == COMPLETED] == [words(0.4)]
        await connection.response.create(response={"instructions": "work=0.05"})
        await until(connection, dialect, NEW[dialect][1])
        await play(connection, tone(0.4))
        events = await until(connection, dialect, "response.done")
        assert events[-1].response.status == "cancelled"
        assert events[-1].response.status_details.reason == "turn_detected"


async def test_tool(conversing: Server, dialect: str) -> None:
    async with connect(conversing, dialect) as connection:
        await update(connection, dialect, None, tools=[TOOL])
        await say(connection, "the weather, please")
        await connection.response.create()
        (call,) = (await until(connection, dialect, "response.done"))[-1].response.output
        assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        )
        await connection.response.create()
        _, text = heard(await until(connection, dialect, "response.done"), dialect)
        assert text.startswith("The tool said: rain.")


@asynccontextmanager
async def transcribing(server: Server, dialect: str, model: str) -> AsyncIterator[Any]:
    async with connect(server, dialect, extra_query={"intent": "transcription"}) as connection:
        if dialect == "beta":
            await connection.transcription_session.update(session={"input_audio_transcription": {"model": model}})
            await until(connection, dialect, "transcription_session.updated")
        else:
            heard: Any = {"transcription": {"model": model}}
            await connection.session.update(session={"type": "transcription", "audio": {"input": heard}})
            await until(connection, dialect, "session.updated")
        yield connection


async def test_transcription(conversing: Server, dialect: str) -> None:
    async with transcribing(conversing, dialect, "whisper-1") as connection:
        await play(connection, tone(0.5) + tone(0.8, 0))
        events = await until(connection, dialect, COMPLETED)
        deltas = [event.delta for event in events if event.type.endswith("transcription.delta")]
        assert "".join(deltas).strip() == events[-1].transcript == words(0.5)
        assert not [event for event in events if event.type.startswith("response.")]


async def test_transcription_while_somebody_speaks(conversing: Server, dialect: str) -> None:
    async with transcribing(conversing, dialect, "talking-live") as connection:
        await play(connection, tone(0.5))
        events = await until(connection, dialect, "conversation.item.input_audio_transcription.delta")
        assert "input_audio_buffer.speech_stopped" not in [event.type for event in events]
        await play(connection, tone(0.8, 0))
        events += await until(connection, dialect, COMPLETED)
        deltas = [event for event in events if event.type.endswith("transcription.delta")]
        assert "".join(event.delta for event in deltas).strip() == events[-1].transcript == words(0.5)
        (committed,) = [event for event in events if event.type == "input_audio_buffer.committed"]
        assert {event.item_id for event in deltas} == {committed.item_id}
