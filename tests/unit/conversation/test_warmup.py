"""Models are loaded before they are needed, and what fails there is nobody's error yet."""

from __future__ import annotations

import asyncio

from support.scripted_input import LISTENER, ScriptedInput

from speechmlx.conversation.warmup import ModelWarmup
from speechmlx.errors import EngineFailed
from speechmlx.types import Kind, Load, Priority


async def test_the_defaults_are_loaded_in_order_and_what_is_missing_is_left_out() -> None:
    engines = ScriptedInput()
    warmup = ModelWarmup(engines)
    warmup.begin(Kind.VAD, Kind.S2S, Kind.ASR)
    await asyncio.sleep(0.01)
    assert [request.model for request in engines.requests(Load)] == ["fake-vad", "fake-asr"]
    await warmup.close()


async def test_what_speech_needs_is_made_ready_again_when_it_begins() -> None:
    engines = ScriptedInput(listener=True)
    warmup = ModelWarmup(engines)
    warmup.begin(Kind.VAD, lambda: engines.model(None, Kind.ASR, live=True), Kind.VAD)
    warmup.begin(Kind.VAD)
    await asyncio.sleep(0.01)
    loaded = len(engines.jobs)
    warmup.touch()
    warmup.touch()  # the first is under way
    await asyncio.sleep(0.01)
    loads = engines.requests(Load)[loaded:]
    assert [(load.model, load.priority) for load in loads] == [
        ("fake-vad", Priority.REALTIME),
        (LISTENER, Priority.REALTIME),
    ]
    await warmup.close()


async def test_an_error_stops_nothing() -> None:
    engines = ScriptedInput()
    engines.fails[Kind.ASR] = EngineFailed("broken")
    warmup = ModelWarmup(engines)
    warmup.begin(Kind.ASR, Kind.VAD)
    await asyncio.sleep(0.01)
    assert len(engines.requests(Load)) == 2
    await warmup.close()
