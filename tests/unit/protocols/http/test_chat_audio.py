"""Recordings that come as chats carry them: found, decoded by what they are, and refused in words."""

from __future__ import annotations

import base64
import json
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest
from starlette.requests import Request
from starlette.types import Message

from speechmlx.audio import g711
from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadRequest
from speechmlx.protocols.http.request_body import read_body

TONE = (0.5 * np.sin(np.arange(8000) / 10)).astype(np.float32)
PCM16 = to_pcm16(TONE)
PCM24 = b"".join(b"\0" + PCM16[start : start + 2] for start in range(0, len(PCM16), 2))
WAV = wav_header(16000, 8000) + PCM16
DATA = base64.b64encode(WAV).decode()


def parts(*data: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"type": "text", "text": "Transcribe this."}]
    return found + [{"type": "input_audio", "input_audio": {"data": one, "format": "wav"}} for one in data]


async def read(value: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Options and recording of a JSON body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(value).encode()}

    scope = {"type": "http", "headers": [(b"content-type", b"application/json")], "query_string": b""}
    async with AsyncExitStack() as stack:
        body = await read_body(Request(scope, receive), 1_000_000, stack)
        return dict(body.options), body.upload.read() if body.upload else None


@pytest.mark.parametrize(
    "carried",
    [
        {"input_audio": {"data": DATA, "format": "wav"}},
        {"input_audio": {"data": DATA, "format": "mp3"}},
        {"input_audio": {"data": DATA, "format": "pcm16"}},
        {"input_audio": {"data": DATA}},
        {"input_audio": DATA},
        {"messages": [{"role": "system", "content": "You hear."}, {"role": "user", "content": parts(DATA)}]},
    ],
    ids=lambda carried: str(carried)[:60],
)
async def test_a_file_is_what_it_is_wherever_it_is_carried(carried: dict[str, Any]) -> None:
    options, upload = await read({"model": "whisper-1", "language": "en", **carried})
    assert options == {"model": "whisper-1", "language": "en"} and upload == WAV


@pytest.mark.parametrize(
    ("format", "data", "more", "seconds"),
    [
        ("pcm16", PCM16, {}, 8000 / 24000),
        ("PCM", PCM16, {"sample_rate": 16000}, 0.5),
        ("audio/pcm", PCM16, {"sample_rate": None}, 8000 / 24000),
        ("pcm24", PCM24, {}, 8000 / 24000),
        ("g711_ulaw", g711.encode(TONE, "ulaw"), {}, 1.0),
        ("audio/pcma", g711.encode(TONE, "alaw"), {}, 1.0),
    ],
)
async def test_headerless_sound_is_what_the_format_says(
    format: str, data: bytes, more: dict[str, Any], seconds: float
) -> None:
    carried = {"data": base64.b64encode(data).decode(), "format": format, **more}
    _, upload = await read({"input_audio": carried})
    rate = round(8000 / seconds)
    assert upload is not None
    audio = decode(upload, rate)
    assert audio.duration == pytest.approx(seconds, abs=0.002)
    assert np.abs(audio.samples[: len(TONE)] - TONE[: len(audio.samples)]).max() < 0.02


@pytest.mark.parametrize("before", [b"", b"ID3\x04" + bytes(5) + b"\x09" + bytes(9), b"\r\n"])
async def test_a_header_counts_more_than_the_format(before: bytes) -> None:
    _, upload = await read({"input_audio": {"data": base64.b64encode(before + WAV).decode(), "format": "pcm16"}})
    assert upload == before + WAV


async def test_the_base64_field_stays_as_it_was() -> None:
    options, upload = await read({"file": DATA, "messages": None, "prompt": "a"})
    assert options == {"prompt": "a"} and upload == WAV
    assert (await read({"messages": [{"role": "user", "content": "Hello"}]}))[1] is None


@pytest.mark.parametrize(
    ("carried", "says"),
    [
        ({"input_audio": {"format": "wav"}}, "must be an object of 'data'"),
        ({"input_audio": {"data": 7}}, "must be an object of 'data'"),
        ({"input_audio": []}, "must be an object of 'data'"),
        ({"input_audio": {"data": "no base64!"}}, "not base64"),
        ({"input_audio": {"data": DATA, "format": 3}}, "'format' must be a string"),
        (
            {"input_audio": {"data": DATA, "format": "pcm", "sample_rate": 5}},
            "'sample_rate' must be a number from 1000",
        ),
        ({"messages": [{"role": "user", "content": parts(DATA, DATA)}]}, "2 recordings"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "must be an object of 'data'"),
    ],
    ids=lambda carried: str(carried)[:60],
)
async def test_errors(carried: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        await read(carried)
