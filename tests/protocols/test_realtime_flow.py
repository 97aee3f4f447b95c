"""Time and trouble: work done ahead, slow clients, cold models, a killed engine, many sessions at once."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import websockets
from support.realtime_client import Talk, talk
from support.scripted_conversation import MODELS, tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server, Start


async def speak(ws: Talk, seconds: float, silence: float) -> None:
    """A turn as a microphone would send it."""
    for piece in [tone(0.1)] * round(seconds * 10) + [tone(0.1, 0)] * round(silence * 10):
        await ws.play(piece)
        await asyncio.sleep(0.1)


def kill_engine(server: Server) -> None:
    children = psutil.Process(server.process.pid).children()
    (engine,) = [child for child in children if "speechmlx.runtime.worker.process" in child.cmdline()]
    engine.kill()


async def test_the_answer_is_ready_when_the_turn_is_over(conversing: Server) -> None:
    heard = {
        "transcription": {"prompt": "work=0.6"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 2000},
    }
    async with talk(conversing.url, instructions="work=0.02", audio={"input": heard}) as ws:
        await ws.say("load the models")
        await ws.send("response.create")
        await ws.until("response.done")
        speaking = asyncio.create_task(speak(ws, 0.5, 2.5))
        await ws.until("input_audio_buffer.speech_stopped")
        over = time.monotonic()
        await ws.until("response.output_audio.delta")
        assert time.monotonic() - over < 0.5  # recognition alone takes longer
        done = await ws.until("response.done")
        await speaking
        log = conversing.log.read_text()
        stages = log[log.index(f"response {done['response']['id']} completed: ") :].splitlines()[0]
        assert re.search(r"transcript 2\.\d+ s, first token \d\.\d+ s, first audio \d\.\d+ s, total \d\.\d+ s", stages)


async def test_an_answer_begun_at_the_pause_is_the_one_given(conversing: Server) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 2000}
    heard = {"transcription": {"model": "talking-live"}, "turn_detection": detection}

    def done(model: str) -> dict[str, str]:
        with conversing.client() as client:
            page = client.get("/metrics").text
        return dict(re.findall(rf'jobs_total{{model="{model}",outcome="(\w+)"}} (\S+)', page))

    async with talk(conversing.url, instructions="work=0.02", audio={"input": heard}) as ws:
        await ws.say("load the models")
        await ws.send("response.create")
        await ws.until("response.done")
        written, spoken = done("talking-llm"), done("talking-tts")
        await speak(ws, 0.5, 0.5)
        async with asyncio.timeout(20):
            while done("talking-tts") == spoken:  # the first clause of the draft
                await asyncio.sleep(0.02)
        await ws.play(tone(2.0, 0))
        response = (await ws.until("response.done"))["response"]
        assert words(0.5) in response["output"][0]["content"][0]["transcript"]
        # That the model is ready when speech begins, what was read ahead, and the answer: none was given up.
        found = done("talking-llm")
        assert found | {"ok": ""} == written | {"ok": ""}
        assert float(found["ok"]) >= float(written["ok"]) + 3


async def test_going_on_after_a_pause_makes_one_turn_of_it(conversing: Server) -> None:
    heard = {"transcription": {}, "turn_detection": {"type": "server_vad", "silence_duration_ms": 800}}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        await speak(ws, 0.5, 0.4)
        await speak(ws, 0.3, 1.2)
        done = await ws.until("response.done")
        completed = ws.of("conversation.item.input_audio_transcription.completed")
        assert len(completed) == 1
        assert completed[0]["transcript"] in done["response"]["output"][0]["content"][0]["transcript"]


async def test_a_slow_client_slows_nobody(conversing: Server) -> None:
    address = conversing.url.replace("http", "ws") + "/v1/realtime"
    async with websockets.connect(address, max_queue=1, proxy=None) as slow:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "word " * 500}]}
        await slow.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await slow.send(json.dumps({"type": "response.create"}))
        await asyncio.sleep(0.5)
        async with talk(conversing.url) as ws, asyncio.timeout(30):
            await ws.say("hello")
            await ws.send("response.create")
            await ws.until("response.done")
        audio = 0
        async with asyncio.timeout(30):
            while (event := json.loads(await slow.recv()))["type"] != "response.done":
                audio += len(event["delta"]) * 3 // 4 if event["type"] == "response.output_audio.delta" else 0
        assert audio > 500 * 4800


async def test_a_cold_model_answers_late_and_pings_meanwhile(start_server: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with start_server(SPEECHMLX_MODELS=MODELS.replace("talking-llm", "talking-late"), TALKING_GATE=str(gate)) as server:
        async with talk(server.url) as ws:
            await ws.say("hello")
            await ws.send("response.create")
            await ws.until("response.created")
            for _ in range(5):
                async with asyncio.timeout(30):
                    await (await ws.socket.ping())
            await ws.send("conversation.item.retrieve", item_id="nobody")
            assert (await ws.next())["type"] == "error"  # and nothing of the answer before
            gate.touch()
            assert (await ws.until("response.done"))["response"]["status"] == "completed"


async def test_the_server_pings_while_a_model_loads(
    start_server: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "websockets.client")  # it logs each frame
    gate = tmp_path / "gate"
    models = MODELS.replace("talking-llm", "talking-late")
    late = {"SPEECHMLX_MODELS": models, "TALKING_GATE": str(gate), "SPEECHMLX_CATALOG": "support.frequent_pings:extend"}
    with start_server(**late) as server:
        async with asyncio.timeout(30), talk(server.url) as ws:
            await ws.say("hello")
            await ws.send("response.create")
            await ws.until("response.created")
            caplog.clear()
            while sum("< PING" in record.getMessage() for record in caplog.records) < 5:
                await asyncio.sleep(0.05)
            gate.touch()
            assert (await ws.until("response.done"))["response"]["status"] == "completed"


async def test_a_cold_noise_reduction_holds_up_nothing(start_server: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    models = MODELS.replace("scripted-enhance", "enhance-late")
    heard = {"noise_reduction": {"type": "near_field"}, "transcription": {}}
    with start_server(SPEECHMLX_MODELS=models, TALKING_GATE=str(gate)) as server:
        async with talk(server.url, audio={"input": heard}) as ws:
            await ws.play(tone(20.0, 0) + tone(0.6) + tone(1.0, 0))
            await ws.send("response.cancel")
            assert (await ws.failure())["code"] == "response_cancel_not_active"
            assert "input_audio_buffer.speech_started" not in ws.kinds
            gate.touch()
            completed = await ws.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == words(0.6)


async def test_a_killed_engine_fails_the_response_and_not_the_session(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS) as server:
        async with talk(server.url, audio={"input": {"turn_detection": {"type": "server_vad"}}}) as ws:
            await ws.play(tone(0.3, 0))
            await ws.say("hello")
            await ws.send("response.create", response={"instructions": "work=0.05"})
            await ws.until("response.output_audio_transcript.delta")
            kill_engine(server)
            done = await ws.until("response.done")
            assert done["response"]["status"] == "failed"
            assert done["response"]["status_details"]["error"]["code"] == "engine_lost"
            await ws.play(tone(0.5) + tone(0.8, 0))
            assert (await ws.until("response.done"))["response"]["status"] == "completed"


async def test_an_engine_killed_while_it_listens_leaves_the_turn_inaudible(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS) as server:
        heard = {"turn_detection": None, "transcription": {"prompt": "work=3"}}
        async with talk(server.url, audio={"input": heard}) as ws:
            await ws.say("load the models")
            await ws.send("response.create")
            await ws.until("response.done")
            await ws.play(tone(0.3))
            await ws.send("input_audio_buffer.commit")
            await ws.send("response.create")
            await ws.until("response.created")
            await asyncio.sleep(1.0)
            kill_engine(server)
            assert (await ws.until("response.done"))["response"]["status"] == "failed"
            assert len(ws.of("conversation.item.input_audio_transcription.failed")) == 1
            await ws.send("response.create")
            done = await ws.until("response.done")
            assert done["response"]["status"] == "completed"
            assert "(inaudible)" in done["response"]["output"][0]["content"][0]["transcript"]


async def test_noise_reduction_survives_its_engine(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS) as server:
        heard = {"noise_reduction": {"type": "near_field"}, "transcription": {}}
        async with talk(server.url, audio={"input": heard}) as ws:
            await ws.play(tone(0.5, 0) + tone(0.3) + tone(0.8, 0))
            await ws.until("response.done")
            kill_engine(server)
            await ws.quiet(0.5)
            for _ in range(10):
                await ws.play(tone(0.1, 0))
            await ws.play(tone(0.6) + tone(0.8, 0))
            completed = await ws.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == words(0.6)
            errors = [event["error"]["code"] for event in ws.of("error")]
            assert errors == ["engine_lost"]  # the noise reduction's; the speech detector goes on in the next process


async def test_deafness_is_told_once(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS.replace("talking-vad", "talking-nowhere")) as server:
        async with talk(server.url) as ws:
            await ws.play(tone(0.1))
            await ws.until("error")
            for _ in range(5):
                await ws.play(tone(0.1))
                await ws.quiet(0.1)
            assert [event["error"]["code"] for event in ws.of("error")] == ["model_load_error"]


async def test_a_missing_turn_detector_is_told_once(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS.replace("talking-turn", "judging-nowhere")) as server:
        detection = {"type": "semantic_vad", "eagerness": "high", "create_response": False}
        async with talk(server.url, audio={"input": {"turn_detection": detection}}) as ws:
            for again in (False, True, True):
                await ws.play(tone(0.5) + tone(0.3, 0))
                await (ws.quiet(0.3) if again else ws.until("error"))
                await ws.play(tone(1.9, 0))
                await ws.until("input_audio_buffer.committed")
            assert [event["error"]["code"] for event in ws.of("error")] == ["model_load_error"]


async def test_a_stopping_server_says_so(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS, SPEECHMLX_DRAIN_TIMEOUT="0.3") as server:
        async with talk(server.url) as ws:
            await ws.say("hello")
            await ws.send("response.create", response={"instructions": "work=0.2"})
            await ws.until("response.output_audio_transcript.delta")
            server.process.terminate()
            done = await ws.until("response.done")
            assert done["response"]["status_details"]["error"]["code"] == "draining"
            with pytest.raises(websockets.ConnectionClosed):
                await ws.next()
            assert ws.socket.close_code == 1012
        assert await asyncio.to_thread(server.process.wait, 10) == 0


async def test_sixteen_conversations_at_once(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=MODELS) as server:

        async def converse(number: int) -> None:
            async with talk(server.url) as ws:
                await ws.say(f"number {number}")
                await ws.send("response.create")
                response = (await ws.until("response.done"))["response"]
                assert response["status"] == "completed"
                assert f"number {number}." in response["output"][0]["content"][0]["transcript"]

        async with asyncio.timeout(30):
            await asyncio.gather(*(converse(number) for number in range(16)))


@pytest.mark.parametrize("when", ["idle", "answering", "speaking"])
async def test_a_client_that_leaves_leaves_nothing_behind(conversing: Server, when: str) -> None:
    async with talk(conversing.url) as ws:
        if when == "answering":
            await ws.say("hello")
            await ws.send("response.create", response={"instructions": "work=0.05"})
            await ws.until("response.output_audio_transcript.delta")
        elif when == "speaking":
            await ws.play(tone(0.5))
            await ws.until("input_audio_buffer.speech_started")
        ws.socket.transport.abort()
    async with asyncio.timeout(30):
        while conversing.health()["jobs"]:
            await asyncio.sleep(0.05)
