"""Pipecat's OpenAI realtime services against the server, in a pipeline as an application builds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from support.realtime_client import Json, check, loudest
from support.scripted_conversation import tone, words

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

if TYPE_CHECKING:
    from protocols.conftest import Server


@asynccontextmanager
async def pipeline(service: Any, before: list[Any] | None = None, after: list[Any] | None = None) -> AsyncIterator[Any]:
    """A running pipeline around `service`: (put a frame in, frames that came out at either end)."""
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.runner import PipelineRunner
    from pipecat.pipeline.task import PipelineParams, PipelineTask
    from pipecat.processors.frame_processor import FrameProcessor

    came: list[Any] = []

    class Sink(FrameProcessor):
        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            came.append(frame)
            await self.push_frame(frame, direction)

    parts = [*(before or []), Sink(), service, Sink(), *(after or [])]
    params = PipelineParams(audio_in_sample_rate=24000, audio_out_sample_rate=24000)
    task = PipelineTask(Pipeline(parts), params=params, cancel_on_idle_timeout=False)
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    try:
        yield task, came
    finally:
        await task.cancel()
        await running


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Json]]:
    """What the server sends, as the answering service gets it; checked in the end."""
    from pipecat.services.openai.realtime import events

    told: list[Json] = []
    read = events.parse_server_event

    def keep(message: str) -> Any:
        told.append(json.loads(message))
        return read(message)

    monkeypatch.setattr(events, "parse_server_event", keep)
    yield told
    assert told
    for event in told:
        check(event, "ga")


async def until(came: list[Any], wanted: Callable[[list[Any]], bool]) -> None:
    async with asyncio.timeout(20):
        while not wanted(came):
            await asyncio.sleep(0.02)


def text_of(came: list[Any]) -> str:
    from pipecat.frames.frames import TTSTextFrame

    return "".join(frame.text for frame in came if isinstance(frame, TTSTextFrame))


def audio_of(came: list[Any]) -> bytes:
    from pipecat.frames.frames import TTSAudioRawFrame

    return b"".join(frame.audio for frame in came if isinstance(frame, TTSAudioRawFrame))


def heard_in(came: list[Any]) -> list[str]:
    """The user's turns in words."""
    from pipecat.frames.frames import TranscriptionFrame

    return [frame.text for frame in came if isinstance(frame, TranscriptionFrame)]


def statuses(told: list[Json]) -> list[str]:
    """How the responses ended, as the server says."""
    return [event["response"]["status"] for event in told if event["type"] == "response.done"]


async def play(task: Any, pcm16: bytes) -> None:
    from pipecat.frames.frames import InputAudioRawFrame

    for start in range(0, len(pcm16), 4800):
        piece = pcm16[start : start + 4800]
        await task.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=24000, num_channels=1))


def realtime(server: Server, finds_turns: bool = True, **properties: Any) -> Any:
    from pipecat.services.openai.realtime import events
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

    heard = events.AudioInput(
        turn_detection=events.TurnDetection(type="server_vad") if finds_turns else False,
        transcription=events.InputAudioTranscription(model="whisper-1"),
    )
    session = events.SessionProperties(audio=events.AudioConfiguration(input=heard), **properties)
    return OpenAIRealtimeLLMService(
        api_key="any",
        base_url=server.url.replace("http", "ws") + "/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(model="local", session_properties=session),
    )


def context(service: Any, text: str | None, tools: Any = None) -> Any:
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair

    messages: list[Any] = [{"role": "user", "content": text}] if text else []
    extra = {"tools": tools} if tools is not None else {}
    return LLMContextAggregatorPair(LLMContext(messages, **extra))


async def test_text_turn(conversing: Server, told: list[Json]) -> None:
    from pipecat.frames.frames import LLMRunFrame

    service = realtime(conversing)
    pair = context(service, "good morning")
    async with pipeline(service, [pair.user()], [pair.assistant()]) as (task, came):
        await task.queue_frame(LLMRunFrame())
        await until(came, lambda came: "I am here." in text_of(came))
        assert text_of(came).startswith("You said: good morning.")
        await until(came, lambda came: len(audio_of(came)) > 24000)
        assert loudest(audio_of(came)) > 16000


async def test_manual_turn(conversing: Server, told: list[Json]) -> None:
    from pipecat.frames.frames import LLMRunFrame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame

    service = realtime(conversing, finds_turns=False)
    pair = context(service, None)
    async with pipeline(service, [pair.user()], [pair.assistant()]) as (task, came):
        await task.queue_frame(LLMRunFrame())
        await task.queue_frame(UserStartedSpeakingFrame())
        await play(task, tone(0.4))
        await task.queue_frame(UserStoppedSpeakingFrame())
        await until(came, lambda came: words(0.4) in text_of(came))


async def test_found_turn_and_interruption(conversing: Server, told: list[Json]) -> None:
    from pipecat.frames.frames import InterruptionFrame, LLMRunFrame

    service = realtime(conversing, instructions="work=0.05")
    pair = context(service, "good morning")
    async with pipeline(service, [pair.user()], [pair.assistant()]) as (task, came):
        await task.queue_frame(LLMRunFrame())
        await until(came, lambda came: statuses(told) == ["completed"])
        came.clear()
        await play(task, tone(0.5) + tone(0.8, 0))
        await until(came, lambda came: bool(audio_of(came)) and f"{words(0.5)}." in text_of(came))
        await play(task, tone(0.4))
        await until(came, lambda came: any(isinstance(frame, InterruptionFrame) for frame in came))
        await play(task, tone(0.8, 0))
        await until(came, lambda came: "I am here." in text_of(came))
        await until(came, lambda came: len(statuses(told)) == 3)
        assert statuses(told)[1:] == ["cancelled", "completed"]
        assert heard_in(came) == [words(0.5), words(0.4)]
        assert f"You said: {words(0.4)}." in text_of(came)


async def test_it_listens_on_after_a_response_that_failed(conversing: Server, told: list[Json]) -> None:
    from pipecat.frames.frames import LLMFullResponseEndFrame, LLMRunFrame, UserStartedSpeakingFrame

    service = realtime(conversing, instructions="fail=3")
    pair = context(service, "good morning")
    async with pipeline(service, [pair.user()], [pair.assistant()]) as (task, came):
        await task.queue_frame(LLMRunFrame())
        await until(came, lambda came: any(isinstance(frame, LLMFullResponseEndFrame) for frame in came))
        came.clear()
        await play(task, tone(0.5) + tone(0.8, 0))
        await until(came, lambda came: any(isinstance(frame, UserStartedSpeakingFrame) for frame in came))


async def test_it_listens_on_after_a_commit_that_came_too_late(conversing: Server, told: list[Json]) -> None:
    """Any error but two ends it."""
    from pipecat.services.openai.realtime import events

    service = realtime(conversing)
    async with pipeline(service) as (task, came):
        await until(came, lambda came: service._api_session_ready)
        for number, seconds in enumerate((0.5, 0.4), 1):
            await play(task, tone(seconds) + tone(0.58, 0))
            await until(came, partial(lambda number, came: statuses(told) == ["completed"] * number, number))
            await service.send_client_event(events.InputAudioBufferCommitEvent())
        await until(came, lambda came: len(heard_in(came)) == 2)
        assert heard_in(came) == [words(0.5), words(0.4)]
        assert "error" not in [event["type"] for event in told]


async def test_tool(conversing: Server, told: list[Json]) -> None:
    from pipecat.adapters.schemas.function_schema import FunctionSchema
    from pipecat.adapters.schemas.tools_schema import ToolsSchema
    from pipecat.frames.frames import LLMRunFrame

    schema = FunctionSchema(name="get_weather", description="", properties={"city": {"type": "string"}}, required=[])
    service = realtime(conversing)
    called = []

    async def weather(params: Any) -> None:
        called.append(params.arguments)
        await params.result_callback("rain")

    service.register_function("get_weather", weather)
    pair = context(service, "the weather, please", ToolsSchema(standard_tools=[schema]))
    async with pipeline(service, [pair.user()], [pair.assistant()]) as (task, came):
        await task.queue_frame(LLMRunFrame())
        await until(came, lambda came: "That is all." in text_of(came))
        assert called == [{"city": "Paris"}]
        assert "rain" in text_of(came)


def transcribing(server: Server, turn_detection: Any, model: str = "whisper-1") -> Any:
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService

    return OpenAIRealtimeSTTService(
        api_key="any",
        base_url=server.url.replace("http", "ws") + "/v1/realtime",
        turn_detection=turn_detection,
        settings=OpenAIRealtimeSTTService.Settings(model=model),
    )


async def test_transcription(conversing: Server) -> None:
    async with pipeline(transcribing(conversing, {"type": "server_vad"})) as (task, came):
        await play(task, tone(0.5) + tone(0.8, 0))
        await until(came, lambda came: bool(heard_in(came)))
        assert heard_in(came) == [words(0.5)]


async def test_transcription_of_turns_found_by_the_pipeline(conversing: Server) -> None:
    from pipecat.frames.frames import VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame

    service = transcribing(conversing, False)
    async with pipeline(service) as (task, came):
        await until(came, lambda came: service._session_ready)
        for number, seconds in enumerate((0.5, 0.3), 1):
            await task.queue_frame(VADUserStartedSpeakingFrame())
            await play(task, tone(seconds) + tone(0.8, 0))
            await task.queue_frame(VADUserStoppedSpeakingFrame())
            await until(came, partial(lambda number, came: len(heard_in(came)) == number, number))
        assert heard_in(came) == [words(0.5), words(0.3)]


@pytest.mark.parametrize("turn_detection", [{"type": "server_vad"}, False], ids=["found", "by hand"])
async def test_transcription_while_somebody_speaks(conversing: Server, turn_detection: Any) -> None:
    from pipecat.frames.frames import (
        InterimTranscriptionFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )

    def interim(came: list[Any]) -> str:
        return "".join(frame.text for frame in came if isinstance(frame, InterimTranscriptionFrame))

    service = transcribing(conversing, turn_detection, "talking-live")
    async with pipeline(service) as (task, came):
        await until(came, lambda came: service._session_ready)
        await task.queue_frame(VADUserStartedSpeakingFrame())
        await play(task, tone(0.5))
        await until(came, lambda came: bool(interim(came)))
        assert not heard_in(came)
        await play(task, tone(0.8, 0))
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        await until(came, lambda came: bool(heard_in(came)))
        assert heard_in(came) == [interim(came).strip()] == [words(0.5)]
