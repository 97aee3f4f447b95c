"""A microphone that stops in mid-speech: the turn is over after a while of the clock, and nothing else changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from protocols.conftest import serve
from support.realtime_client import Talk, talk
from support.scripted_conversation import MODELS, tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

STOPPED = "input_audio_buffer.speech_stopped"
COMPLETED = "conversation.item.input_audio_transcription.completed"
TIMEOUT = 1.0
LATE = 20.0
"""Seconds that a busy machine may take longer."""


@pytest.fixture(scope="module")
def timing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment: dict[str, Any] = {"SPEECHMLX_MODELS": MODELS, "SPEECHMLX_AUDIO_TIMEOUT": str(TIMEOUT)}
    with serve(tmp_path_factory.mktemp("timing"), **environment) as server:
        yield server


def heard(detection: Any, **more: Any) -> dict[str, Any]:
    return {"input": {"transcription": {}, "turn_detection": detection, **more}}


async def said(ws: Talk, seconds: float) -> float:
    """The words of a turn whose audio has just ended are told; after so many seconds of the clock."""
    began = time.monotonic()
    assert (await ws.until(COMPLETED))["transcript"] == words(seconds)
    return time.monotonic() - began


async def stops(server: Server, audio: dict[str, Any], query: str = "") -> None:
    async with talk(server.url, query, audio=audio) as ws:
        for seconds in (0.5, 0.7):  # what comes after is heard as a turn of its own
            await ws.play(tone(0.3, 0) + tone(seconds))
            assert TIMEOUT <= await said(ws, seconds) < TIMEOUT + LATE
        first, second = ws.of(STOPPED)
        assert abs(first["audio_end_ms"] - 800) < 100 and abs(second["audio_end_ms"] - 1800) < 100
        assert len(ws.of("input_audio_buffer.committed")) == 2 and not ws.of("error")


async def answered(server: Server) -> None:
    async with talk(server.url, audio=heard({"type": "server_vad"})) as ws:
        await ws.play(tone(0.5))
        response = (await ws.until("response.done"))["response"]
        assert response["output"][0]["content"][0]["transcript"].startswith(f"You said: {words(0.5)}.")


async def a_recording_at_once(server: Server) -> None:
    async with talk(server.url, "?intent=transcription", audio=heard({"type": "server_vad"})) as ws:
        await ws.play(tone(40.0), 10**9)
        assert await said(ws, 40.0) < TIMEOUT + LATE


async def long_pieces(server: Server) -> None:
    """A client that sends seconds of audio at a time is not late while they last."""
    async with talk(server.url, "?intent=transcription", audio=heard({"type": "server_vad"})) as ws:
        for _ in range(2):
            await ws.play(tone(1.5), 10**9)
            await asyncio.sleep(TIMEOUT + 0.4)
        assert STOPPED not in ws.kinds
        await ws.play(tone(0.2) + tone(1.0, 0))
        await said(ws, 3.2)


async def messages_are_no_audio(server: Server) -> None:
    async with talk(server.url, "?intent=transcription", audio=heard({"type": "server_vad"})) as ws:
        await ws.play(tone(0.5))
        asking = asyncio.create_task(ask(ws))
        assert await said(ws, 0.5) < TIMEOUT + LATE
        asking.cancel()


async def ask(ws: Talk) -> None:
    while True:
        await asyncio.sleep(0.2)
        await ws.send("session.update", session={"type": "transcription"})


async def muted_between_turns(server: Server) -> None:
    async with talk(server.url, audio=heard({"type": "server_vad", "idle_timeout_ms": 10_000})) as ws:
        await ws.play(tone(0.5) + tone(1.0, 0))
        await ws.until("response.done")
        before = len(ws.events)
        await ws.quiet(TIMEOUT + 0.5)
        assert len(ws.events) == before
        await ws.play(tone(0.4) + tone(1.0, 0))
        await said(ws, 0.4)


async def by_hand(server: Server) -> None:
    async with talk(server.url, audio=heard(None)) as ws:
        await ws.play(tone(0.5))
        await asyncio.sleep(TIMEOUT + 0.5)
        await ws.play(tone(0.5))
        await ws.send("input_audio_buffer.commit")
        await said(ws, 1.0)
        assert len(ws.of("input_audio_buffer.committed")) == 1 and not ws.of(STOPPED)


async def test_who_stops_sending_in_mid_speech_has_stopped_speaking(timing: Server) -> None:
    await answered(timing)
    vad = {"type": "server_vad", "create_response": False}
    async with asyncio.TaskGroup() as talks:
        talks.create_task(stops(timing, heard(vad)))
        talks.create_task(stops(timing, heard({"type": "semantic_vad", "create_response": False})))
        talks.create_task(stops(timing, heard(vad, noise_reduction={"type": "near_field"})))
        talks.create_task(stops(timing, heard({"type": "server_vad"}), "?intent=transcription"))
        talks.create_task(a_recording_at_once(timing))
        talks.create_task(messages_are_no_audio(timing))


async def test_who_goes_on_or_says_nothing_is_left_alone(timing: Server) -> None:
    async with asyncio.TaskGroup() as talks:
        for case in (long_pieces, muted_between_turns, by_hand):
            talks.create_task(case(timing))


async def test_no_timeout_ends_no_turn(conversing: Server) -> None:
    async with talk(conversing.url, audio=heard({"type": "server_vad"})) as ws:
        await ws.play(tone(0.5))
        await ws.until("input_audio_buffer.speech_started")
        await ws.quiet(TIMEOUT + 0.5)
        assert not ws.of(STOPPED)
        await ws.play(tone(1.0, 0))
        await said(ws, 0.5)
