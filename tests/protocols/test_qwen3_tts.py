"""Qwen3-TTS with small weights as clients ask for it: speech, streams, voices of recordings, and conversations."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from protocols.conftest import Server, serve
from support.realtime_client import talk
from support.scripted_conversation import MODELS
from websockets.asyncio.client import connect
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.tts import SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped, SynthesizeVoice
from xinference_client import RESTfulClient

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import from_pcm16, to_pcm16

CUSTOM, BASE = "qwen3-tts-0.6b-customvoice", "qwen3-tts-0.6b-base"
TEXT = "Hello there."


def recording(seed: int = 1) -> bytes:
    """A WAV file with noise, which the tiny model takes for a voice."""
    sound = 0.1 * np.random.default_rng(seed).standard_normal(24000)
    return wav_header(24000, 24000) + to_pcm16(sound.astype(np.float32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that speaks with CustomVoice; what hears and writes has scripted engines."""
    models = MODELS.replace("tts=talking-tts", f"tts={CUSTOM}")
    catalog = "support.qwen3_tts_row:extend"
    home = tmp_path_factory.mktemp("qwen3-tts")
    with serve(home / "server", "--wyoming", "0", SPEECHMLX_CATALOG=catalog, SPEECHMLX_MODELS=models) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0, timeout=100) as client:
        yield client


def say(client: openai.OpenAI, text: str = TEXT, voice: Any = "ryan", model: str = CUSTOM, **extra: Any) -> bytes:
    return client.audio.speech.create(
        model=model, voice=voice, input=text, response_format="pcm", extra_body=extra
    ).content


def alike(one: bytes, other: bytes) -> bool:
    """Equal to a step of PCM16: what was read before is not read again in the same pieces."""
    return len(one) == len(other) and bool(np.abs(from_pcm16(one) - from_pcm16(other)).max() <= 1.01 / 32768)


def test_speech_is_that_of_the_request(client: openai.OpenAI) -> None:
    whole = say(client)
    assert len(whole) >= 3840 and any(whole) and whole == say(client)
    assert whole != say(client, voice="eric") and whole != say(client, kwargs={"seed": 4})
    with pytest.raises(openai.BadRequestError, match="no voice 'nobody'; the voices are"):
        say(client, voice="nobody")


def test_a_stream_is_the_whole_in_pieces(client: openai.OpenAI, server: Server) -> None:
    body = {"model": CUSTOM, "voice": "ryan", "input": TEXT, "response_format": "pcm", "stream": True}
    with server.client() as http, http.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert answer.status_code == 200
        pieces = [piece for piece in answer.iter_raw() if piece]
    assert b"".join(pieces) == say(client)


def test_pauses_ssml_and_pronunciations(client: openai.OpenAI) -> None:
    whole = say(client)
    assert say(client, f"[pause:500ms]{TEXT}[pause:1s]") == bytes(24000) + whole + bytes(48000)
    assert say(client, f'<speak><break time="500ms"/>{TEXT}</speak>') == bytes(24000) + whole
    entries = {"Nguyen": "there"}
    assert say(client, "Hello Nguyen.", pronunciations=entries) == whole
    with pytest.raises(openai.BadRequestError, match="10 s at most"):
        say(client, "Hi [pause:11s]")


def test_xinference_s_calls_imitate_a_recording(xinference: RESTfulClient) -> None:
    model = xinference.get_model(xinference.launch_model("Qwen3-TTS-12Hz-0.6B-Base", model_type="audio"))
    given: dict[str, Any] = {"prompt_text": "Hi.", "response_format": "pcm"}
    sounds = [model.speech(TEXT, prompt_speech=recording(seed), **given) for seed in (1, 1, 3)]
    assert alike(sounds[0], sounds[1]) and not alike(sounds[0], sounds[2])
    alone = model.speech(TEXT, prompt_speech=recording(), response_format="pcm")
    assert not alike(alone, sounds[0])
    streamed = b"".join(model.speech(TEXT, prompt_speech=recording(), stream=True, **given))
    assert alike(streamed, sounds[0])
    with pytest.raises(RuntimeError, match=r"imitates the voice of a recording.*prompt_speech"):
        model.speech(TEXT)


def test_a_stored_voice(client: openai.OpenAI, server: Server) -> None:
    stored = {"name": "Ann", "consent": "I agree that this voice is imitated.", "text": "Hi."}
    with server.client() as http:
        made = http.post("/v1/audio/voices", data=stored, files={"audio_sample": ("ann.wav", recording())})
        assert made.status_code == 200, made.text
        kept = http.post("/v1/audio/voices", data=stored | {"name": "Bob"}, files={"audio_sample": recording(3)})
        assert kept.status_code == 200, kept.text
    first = say(client, voice="Ann", model=BASE)
    assert any(first) and alike(first, say(client, voice="ann", model=BASE))
    assert not alike(first, say(client, voice="Bob", model=BASE))
    with pytest.raises(openai.BadRequestError, match="this model imitates none"):
        say(client, voice="Ann")


async def test_a_conversation_speaks_while_the_answer_is_written(server: Server) -> None:
    audio = {"input": {"turn_detection": None}, "output": {"voice": "ryan"}}
    first = " ".join(f"word{number:02}" for number in range(25))
    text = f"{first}. So it goes on and on."
    async with talk(server.url, audio=audio, instructions="work=0.03") as ws:
        ws.patience = 60.0
        await ws.say("say Hi.")  # loads the models
        await ws.send("response.create")
        await ws.until("response.done")
        start, before = len(ws.events), len(ws.audio())
        await ws.say(f"say {text.replace(' ', ' |')}")
        await ws.send("response.create")
        response = (await ws.until("response.done"))["response"]
        assert response["status"] == "completed", response
        assert response["output"][0]["content"][0]["transcript"] == text
        kinds = ws.kinds[start:]
        written = [place for place, kind in enumerate(kinds) if kind == "response.output_audio_transcript.delta"]
        assert kinds.index("response.output_audio.delta") < written[24], "before the first sentence is complete"
        seconds = (len(ws.audio()) - before) / 48000
        assert seconds > 1.0
        cut = {"item_id": response["output"][0]["id"], "content_index": 0}
        for end, left in ((round(seconds * 1000), text), (0, "")):
            await ws.send("conversation.item.truncate", **cut, audio_end_ms=end)
            await ws.until("conversation.item.truncated")
            await ws.send("conversation.item.retrieve", item_id=cut["item_id"])
            item = (await ws.until("conversation.item.retrieved"))["item"]
            assert item["content"][0]["transcript"] == left


WORDS = [f"word{number:02} " for number in range(25)]
"""Words without the end of their sentence, and so many that they are spoken before it."""
MORE = "and so on. Then it goes on and on."


async def jobs_over(server: Server, number: int = 0) -> int:
    """The jobs of CustomVoice that are over, once there are `number`."""
    async with asyncio.timeout(30):
        while True:
            with server.client() as client:
                page = client.get("/metrics").text
            found = sum(
                float(count) for count in re.findall(rf'jobs_total{{model="{CUSTOM}",outcome="ok"}} (\S+)', page)
            )
            if found >= number:
                return round(found)
            await asyncio.sleep(0.05)


async def test_deepgram_s_socket_speaks_while_the_text_is_written(server: Server) -> None:
    address = f"{server.url.replace('http', 'ws')}/v1/speak?model=ryan"
    async with asyncio.timeout(120), connect(address, proxy=None) as socket:

        async def send(kind: str, **fields: Any) -> None:
            await socket.send(json.dumps({"type": kind, **fields}))

        async def until(kind: str) -> bytes:
            sound = b""
            while isinstance(message := await socket.recv(), bytes) or json.loads(message)["type"] != kind:
                sound += message if isinstance(message, bytes) else b""
            return sound

        await send("Speak", text="Hi.")  # loads the model
        await send("Flush")
        assert any(await until("Flushed"))
        before = await jobs_over(server, 1)
        for word in WORDS:
            await send("Speak", text=word)
        early = await socket.recv()
        assert isinstance(early, bytes), "before the first sentence is complete"
        await send("Speak", text=MORE)
        await send("Flush")
        assert any(await until("Flushed"))
        assert await jobs_over(server, before + 1) == before + 1
        await send("Speak", text="word " * 100)
        assert isinstance(await socket.recv(), bytes)
        await send("Clear")
        await until("Cleared")
        await send("Speak", text=TEXT)
        await send("Close")
        assert any(b"".join([message async for message in socket if isinstance(message, bytes)]))
        assert socket.close_code == 1000 and await jobs_over(server, before + 2) == before + 2


async def test_wyoming_speaks_while_the_text_is_written(server: Server) -> None:
    before, sound = await jobs_over(server), b""
    async with asyncio.timeout(120), AsyncClient.from_uri(server.wyoming) as client:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="ryan")).event())
        for word in WORDS:
            await client.write_event(SynthesizeChunk(word).event())
        while (event := await client.read_event()) is not None and not AudioChunk.is_type(event.type):
            assert AudioStart.is_type(event.type), "before the first sentence is complete"
        await client.write_event(SynthesizeChunk(MORE).event())
        await client.write_event(SynthesizeStop().event())
        while event is not None and not AudioStop.is_type(event.type):
            chunk = AudioChunk.from_event(event)
            assert chunk.timestamp == 1000 * (len(sound) // 2) // chunk.rate
            sound += chunk.audio
            event = await client.read_event()
        assert event is not None and event.data["timestamp"] == 1000 * (len(sound) // 2) // 24000 and any(sound)
        stopped = await client.read_event()
        assert stopped is not None and SynthesizeStopped.is_type(stopped.type)
    assert await jobs_over(server, before + 1) == before + 1


async def test_an_interruption_frees_the_voice(server: Server) -> None:
    audio = {"input": {"turn_detection": None}, "output": {"voice": "vivian"}}
    async with talk(server.url, audio=audio) as ws:
        await ws.say(f"say {'word ' * 100}")
        await ws.send("response.create")
        await ws.until("response.output_audio.delta")
        await ws.send("response.cancel")
        assert (await ws.until("response.done"))["response"]["status"] == "cancelled"
        await ws.say("say Here.")
        await ws.send("response.create")
        assert (await ws.until("response.done"))["response"]["status"] == "completed"
