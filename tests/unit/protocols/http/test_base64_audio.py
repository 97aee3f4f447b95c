"""Recordings in base64 and data: URLs, and the sentences for what clients send instead."""

from __future__ import annotations

import base64
from unittest.mock import ANY
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bodies import FORM_TYPE, part, read_chunks

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.request_body import Body


@given(st.binary(max_size=700), st.booleans())
async def test_audio_in_json_arrives_byte_for_byte(data: bytes, broken: bool) -> None:
    encoded = base64.encodebytes(data) if broken else base64.b64encode(data)
    json = b'{"audio_base64":"' + encoded + b'"}'
    assert (await read_chunks([json], "application/json", limit=2000))[1] == data


async def test_audio_in_json_longer_than_a_slice() -> None:
    data = bytes(range(256)) * 3000
    json = b'{"audio_base64":"' + base64.b64encode(data) + b'"}'
    assert (await read_chunks([json], "application/json", limit=2_000_000))[1] == data


@pytest.mark.parametrize(
    "url",
    [
        "data:audio/wav;base64,UklGRg==",
        "DATA:;base64,UklG\\nRg==",
        "data:audio/wav;rate=8000;base64,UklGRg%3D%3D",
        "data:,RIFF",
        "data:audio/wav,%52IFF",
    ],
)
@pytest.mark.parametrize("field", ["file", "audio", "audio_file", "audio_base64"])
async def test_a_data_url_is_the_recording(field: str, url: str) -> None:
    json = f'{{"{field}": "{url}", "model": "m"}}'.encode()
    assert await read_chunks([json], "application/json") == (Body({"model": "m"}, ANY), b"RIFF")
    form = part(f'name="{field}"', url.replace("\\n", "\n").encode())
    assert (await read_chunks([form], FORM_TYPE))[1] == b"RIFF"


@pytest.mark.parametrize(
    "text",
    [
        "output.wav", "@jfk.wav", "/tmp/a b.mp3", "C:\\\\sounds\\\\a.wav", "./a", "~/x", "/var/lib/sound",
        "für.wav", "file:///a.wav",
    ],
)  # fmt: skip
async def test_text_that_looks_like_a_path_says_so(text: str) -> None:
    for body, kind in (
        (f'{{"file": "{text}"}}'.encode(), "application/json"),
        (part('name="file"', text.encode()), FORM_TYPE),
        (f"audio_base64={quote(text)}".encode(), "application/x-www-form-urlencoded"),
        (text.encode(), "application/x-www-form-urlencoded"),
        (text.encode(), "text/plain"),
        (text.encode(), ""),
    ):
        with pytest.raises(BadRequest, match=r"looks like a file's name and not its contents; .*-F 'file=@[^@]"):
            await read_chunks([body], kind)


@pytest.mark.parametrize("text", ["https://example.org/a.wav", "HTTP://x/y", "blob:http://x/1", "s3://b/a"])
async def test_an_address_is_no_recording(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^'file' is the text .* looks like an address; send the recording itself"):
        await read_chunks([f'{{"file": "{text}"}}'.encode()], "application/json")


@pytest.mark.parametrize("encoded", ["QUJ", "Q===", "QQ==QQ==", "Qü==", "Q-_="])
async def test_what_is_no_base64_is_refused(encoded: str) -> None:
    with pytest.raises(BadRequest, match=r"^'audio_base64' is not base64"):
        await read_chunks([f'{{"audio_base64":"{encoded}"}}'.encode()], "application/json")
    with pytest.raises(BadRequest, match=r"^'file' is not base64"):
        await read_chunks([part('name="file"', encoded.encode())], FORM_TYPE)
