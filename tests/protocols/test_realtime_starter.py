"""A real conversation: Kokoro asks, Whisper hears, SmolLM2 answers, Kokoro says it, and Whisper hears that back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.realtime_client import talk
from support.word_errors import word_error_rate

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server

RATE = 24000
QUESTION = "What is the capital city of France?"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_question_asked_aloud(starter: Server) -> None:
    with starter.client(300.0) as client:
        asked = decode(client.post("/speak", json={"text": QUESTION}).content, RATE)
        detection = {"type": "semantic_vad", "eagerness": "high"}
        heard = {"turn_detection": detection, "transcription": {}}
        async with talk(starter.url, audio={"input": heard}, max_output_tokens=24) as ws:
            ws.patience = 300.0
            await ws.play(to_pcm16(asked.samples) + bytes(RATE * 2 * 4))
            done = (await ws.until("response.done"))["response"]
            completed = ws.of("conversation.item.input_audio_transcription.completed")[0]
            said = completed["transcript"]
            assert completed["languages"] == [{"code": "en"}]
            assert word_error_rate(QUESTION, said) <= 0.3, said
            assert done["status"] in ("completed", "incomplete"), json.dumps(done)
            answer = done["output"][0]["content"][0]["transcript"]
            recording = wav_header(RATE, len(ws.audio()) // 2) + ws.audio()
            back = client.post("/transcribe", content=recording, headers={"content-type": "audio/wav"}).json()["text"]
            assert word_error_rate(answer, back) <= 0.5, (answer, back)


async def test_the_voices_are_those_of_the_model(starter: Server) -> None:
    async with talk(starter.url, audio={"output": {"voice": "bm_george"}}) as ws:
        for voice in ("af_hart", "nobody"):
            await ws.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": voice}}})
            error = await ws.failure()
            assert (error["code"], error["param"]) == ("invalid_value", "session.audio.output.voice")
            assert voice in error["message"] and ("af_heart" in error["message"]) == (voice == "af_hart")
        await ws.send("session.update", session={"type": "realtime"})
        assert (await ws.until("session.updated"))["session"]["audio"]["output"]["voice"] == "bm_george"
