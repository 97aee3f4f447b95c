"""The examples of the server that came before run as they stand: beta events, no commit, turns found by nobody."""

from __future__ import annotations

import asyncio
import base64
import json
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import websockets
from support.scripted_conversation import SPEECH_RATE, tone

if TYPE_CHECKING:
    from protocols.conftest import Server


async def test_python(conversing: Server, tmp_path: Path) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.pcm"
    with wave.open(str(question), "wb") as out:
        out.setparams((1, 2, SPEECH_RATE, 0, "NONE", ""))
        out.writeframes(tone(0.5) + tone(1.0, level=0) + tone(0.5))
    said = []
    async with asyncio.timeout(20), websockets.connect(conversing.url.replace("http", "ws") + "/v1/realtime") as ws:
        await ws.send(json.dumps({"type": "session.update", "session": {"modalities": ["audio", "text"]}}))
        with wave.open(str(question), "rb") as wav:
            pcm16 = wav.readframes(wav.getnframes())
        audio = base64.b64encode(pcm16).decode()
        await ws.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await ws.send(json.dumps({"type": "response.create"}))
        async for raw in ws:
            msg = json.loads(raw)
            said.append(msg["type"])
            if msg["type"] == "response.audio.delta":
                with answer.open("ab") as out:
                    out.write(base64.b64decode(msg["delta"]))
            elif msg["type"] == "response.done":
                assert msg["response"]["status"] == "completed", msg
                break
    assert "error" not in said
    assert said.count("input_audio_buffer.committed") == 1
    assert len(answer.read_bytes()) > SPEECH_RATE
