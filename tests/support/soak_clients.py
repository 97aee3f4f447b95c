"""Clients of the long tests: each does one piece of work, as a program would, and checks what it is told.

A client is a coroutine function of a `Target` and a source of chance. It returns when it was answered rightly, raises
`Told` when the server told of an error, and another exception when the answer was wrong or lost. To add one, write such
a function and name it in CLIENTS.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import websockets
from support.live_wires import RATE, open_wire
from support.scripted_conversation import tone

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import resample

PIECE = 4096
"""Bytes of live audio in a message: whole frames of the scripted speech detector."""
TURN = 0.5
"""Seconds of a person's turn: 5 words of the scripted recogniser."""
PAUSE = 0.8


class Told(Exception):
    """The server told the client of an error."""


@dataclass(frozen=True)
class Target:
    """Where a server is, and what its clients ask of it. `real`: its models are no scripted ones."""

    url: str
    wyoming: str = ""
    """HOST:PORT; "" without."""
    real: bool = False
    speech: bytes = b""
    """What a person says, PCM16 at RATE; a tone where it is empty."""

    @property
    def said(self) -> bytes:
        return self.speech or tone(TURN, rate=RATE)


Client = Callable[[Target, random.Random], Awaitable[None]]


def client_of(target: Target) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=target.url, timeout=None, trust_env=False)


def wav(pcm16: bytes) -> bytes:
    return wav_header(RATE, len(pcm16) // 2) + pcm16


def checked(answer: httpx.Response) -> httpx.Response:
    """`answer`, where it is a good one. Raises Told for 503."""
    if answer.status_code == 503:
        raise Told(answer.text)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
    return answer


def script(target: Target, rng: random.Random) -> str:
    """What makes a scripted engine work for up to a second."""
    return "" if target.real else f"steps={rng.randint(1, 40)} work=0.02"


async def transcribe(target: Target, rng: random.Random) -> None:
    """POST /v1/audio/transcriptions."""
    form = {"model": "whisper-1"} if target.real else {"model": "scripted-asr", "prompt": script(target, rng)}
    async with client_of(target) as client:
        files = {"file": ("a.wav", wav(target.said))}
        answer = checked(await client.post("/v1/audio/transcriptions", data=form, files=files))
    assert answer.json()["text"], answer.text


async def background(target: Target, rng: random.Random) -> None:
    """POST /v1/audio/transcriptions as a background job, polled to its end. It outlives the engine process."""
    form = {"model": "whisper-1"} if target.real else {"model": "scripted-asr", "prompt": script(target, rng)}
    async with client_of(target) as client:
        files = {"file": ("a.wav", wav(target.said))}
        answer = await client.post("/v1/audio/transcriptions", data={**form, "background": "true"}, files=files)
        assert answer.status_code == 202, f"{answer.status_code} {answer.text[:300]}"
        place = answer.headers["location"]
        while (job := checked(await client.get(place)).json())["state"] in ("queued", "running"):
            await asyncio.sleep(0.2)
        result = checked(await client.get(job["result"]))
    assert job["state"] == "done" and result.json()["text"], f"{job} {result.text[:300]}"


async def speak(target: Target, rng: random.Random) -> None:
    """POST /speak, streamed: a stream that breaks off is cut, so that no client takes it for whole."""
    body = {"text": "It is a fine day."} if target.real else {"text": script(target, rng), "model": "scripted"}
    size = 0
    async with client_of(target) as client:
        try:
            async with client.stream("POST", "/speak?stream=true", json=body) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                checked(answer)
                async for piece in answer.aiter_bytes():
                    size += len(piece)
        except httpx.RemoteProtocolError as error:
            raise Told(str(error)) from error
    assert size > 44 and (target.real or size == 44 + int(body["text"].split()[0][6:]) * 4800), size


async def respond(target: Target, rng: random.Random) -> None:
    """POST /respond: recognition, language model and speech."""
    async with client_of(target) as client:
        answer = checked(await client.post("/respond", content=wav(target.said)))
    assert len(answer.content) > 44


async def enhance(target: Target, rng: random.Random) -> None:
    """POST /enhance."""
    async with client_of(target) as client:
        answer = checked(await client.post("/enhance", content=wav(tone(1.0, rate=RATE))))
    assert len(answer.content) > 16000


async def converse(target: Target, rng: random.Random) -> None:
    """A conversation on /v1/realtime: a typed turn and a spoken one. After an error it must go on."""
    address = f"ws://{urlsplit(target.url).netloc}/v1/realtime"
    async with websockets.connect(address, max_size=None, proxy=None, ping_timeout=None, open_timeout=None) as socket:
        told: Told | None = None
        for turn in (type_a_turn, say_a_turn, type_a_turn):
            try:
                await turn(socket, target)
            except Told as error:
                told = error
            if told is None and turn is say_a_turn:
                return
        raise told or AssertionError("it ended without an answer")


async def type_a_turn(socket: Any, target: Target) -> None:
    """A typed turn of a conversation, and its answer. Raises Told."""
    part = {"type": "input_text", "text": "Say one word."}
    item = {"type": "message", "role": "user", "content": [part]}
    await _send(socket, "conversation.item.create", item=item)
    settings = {"max_output_tokens": 12} if target.real else {"instructions": "work=0.02"}
    await _send(socket, "response.create", response=settings)
    await _answered(socket)


async def say_a_turn(socket: Any, target: Target) -> None:
    """A spoken one."""
    heard = resample(from_pcm16(target.said), RATE, 24000)
    for audio in (to_pcm16(heard), tone(PAUSE, level=0.0)):
        for place in range(0, len(audio), 9600):
            piece = base64.b64encode(audio[place : place + 9600]).decode()
            await _send(socket, "input_audio_buffer.append", audio=piece)
            await asyncio.sleep(0.02)
    await _answered(socket)


async def _send(socket: Any, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def _answered(socket: Any) -> None:
    """Wait for the end of a response. Raises Told for one that failed, and for an error."""
    while True:
        event = json.loads(await socket.recv())
        if event["type"] == "response.done":
            response = event["response"]
            if response["status"] == "failed":
                raise Told(json.dumps(response["status_details"]))
            if response["status"] != "cancelled":
                return
        elif event["type"] == "error" or event["type"].endswith("transcription.failed"):
            raise Told(json.dumps(event["error"]))


def listen(wire: str) -> Client:
    """A session on a live wire: two turns, at twice the pace of speech."""

    async def client(target: Target, rng: random.Random) -> None:
        pause = tone(PAUSE, level=0.0, rate=RATE)
        async with open_wire(wire, target.url, target.wyoming) as session:
            try:
                for audio in (target.said, pause, target.said, pause):
                    for place in range(0, len(audio), PIECE):
                        await session.send(audio[place : place + PIECE])
                        await asyncio.sleep(PIECE / 2 / RATE / 2)
                await session.end()
                await session.over.wait()
            except (websockets.ConnectionClosed, ConnectionError) as error:
                raise Told(str(error)) from error
        if session.failures:
            raise Told(session.failures[0])
        wanted = 1 if target.real else 2 * round(TURN * 10)
        assert len(session.words) >= wanted, f"{len(session.words)} words of {wanted}, and nothing was told"

    return client


CLIENTS: dict[str, Client] = {
    "transcribe": transcribe,
    "background job": background,
    "speak": speak,
    "respond": respond,
    "enhance": enhance,
    "conversation": converse,
    "deepgram": listen("deepgram"),
    "whisperlivekit": listen("asr"),
}
