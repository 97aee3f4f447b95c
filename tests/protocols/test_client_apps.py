"""Apps that docs/clients.md has settings for: requests as the code of each makes them, on the routes that it asks."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from support.scripted_conversation import tone, words

from speechmlx.audio.encode import wav_header

if TYPE_CHECKING:
    from protocols.conftest import Server

RATE = 16000
SOUND = tone(0.5, rate=RATE)
WAV = wav_header(RATE, len(SOUND) // 2) + SOUND
SAID = words(0.5)
KEY = {"Authorization": "Bearer none"}


async def test_open_webui_hears(conversing: Server) -> None:
    """The model and a recording whose length the form does not tell."""

    async def chunks() -> AsyncIterator[bytes]:
        for place in range(0, len(WAV), 4096):
            yield WAV[place : place + 4096]

    form = aiohttp.FormData()
    form.add_field("model", "whisper-1")
    form.add_field("language", "en")
    form.add_field("file", chunks(), filename="recording.wav")
    async with aiohttp.ClientSession() as session:
        url = f"{conversing.url}/v1/audio/transcriptions"
        async with session.post(url, data=form, headers=KEY) as answer:
            assert (answer.status, (await answer.json())["text"]) == (200, SAID)
        carried = {"data": base64.b64encode(WAV).decode(), "format": "wav"}
        async with session.post(url, json={"model": "whisper-1", "input_audio": carried}, headers=KEY) as answer:
            assert (answer.status, (await answer.json())["text"]) == (200, SAID)


async def test_open_webui_is_told_what_is_wrong(conversing: Server) -> None:
    form = aiohttp.FormData({"model": "whisper-1"})
    form.add_field("file", b"no recording", filename="recording.wav")
    url = f"{conversing.url}/v1/audio/transcriptions"
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=KEY) as answer:
        assert "the audio is plain text" in (await answer.json())["error"]["message"]


async def test_open_webui_lists_and_speaks(server: Server, conversing: Server) -> None:
    """Lists are asked for without the key."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/v1/audio/models") as answer:
            assert "kokoro-82m" in [model["id"] for model in (await answer.json())["models"]]
        async with session.get(f"{server.url}/v1/audio/voices") as answer:
            listed = {voice["id"]: voice["name"] for voice in (await answer.json())["voices"]}
        assert {"af_heart", "alloy"} <= set(listed)
        body = {"input": "Hello to you.", "voice": "alloy", "model": "tts-1"}
        async with session.post(f"{conversing.url}/v1/audio/speech", json=body, headers=KEY) as answer:
            assert (answer.status, answer.content_type) == (200, "audio/mpeg")
            assert len(await answer.read()) > 1000


def voiceink(fields: dict[str, str]) -> tuple[bytes, str]:
    """The body of VoiceInk's request and its type: the file first, then its fields."""
    boundary = "Boundary-0B9D51C2-7F8C-4D8E-9A55-0E1F5D3C2A11"
    file = b'Content-Disposition: form-data; name="file"; filename="clip.wav"\r\nContent-Type: audio/wav\r\n\r\n' + WAV
    parts = [file, *(f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}'.encode() for n, v in fields.items())]
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@pytest.mark.parametrize("more", [{}, {"language": "en"}])
def test_voiceink_dictates(conversing: Server, more: dict[str, str]) -> None:
    body, kind = voiceink({"model": "whisper-1", "response_format": "json", "temperature": "0", **more})
    with conversing.client() as client:
        answer = client.post("/v1/audio/transcriptions", content=body, headers={**KEY, "Content-Type": kind})
    decoded: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, decoded["text"]) == (200, SAID)
    assert isinstance(decoded.get("language"), str | None) and isinstance(decoded.get("duration"), float | int | None)
