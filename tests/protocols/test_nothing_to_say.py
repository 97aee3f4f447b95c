"""A text without a word is a short silence on every route for speech; a blank one is an error."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import MEDIA_TYPES

if TYPE_CHECKING:
    from protocols.conftest import Server

SILENCE = 0.2
LAG = 0.15
"""Seconds a codec may add."""


def post(server: Server, path: str, **fields: Any) -> Any:
    with server.client() as client:
        return client.post(path, json=fields)


def check_silence(data: bytes, rate: int | None = None, lag: float = LAG) -> None:
    heard = decode(data, 24000, pcm_rate=rate)
    assert heard.duration == pytest.approx(SILENCE, abs=lag)
    assert np.abs(heard.samples).max() < 1e-3


@pytest.mark.parametrize("text", [".", "...", "—", "👍", "。", " ?!\n"])
def test_signs_alone_are_a_short_silence(conversing: Server, text: str) -> None:
    for path, field in (("/speak", "text"), ("/v1/audio/speech", "input"), ("/v1/speak", "text")):
        answer = post(conversing, path, **{field: text})
        assert answer.status_code == 200, answer.text
        check_silence(answer.content)


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("stream", [None, True, False])
def test_in_every_format(conversing: Server, format: str, stream: bool | None) -> None:
    answer = post(conversing, "/v1/audio/speech", input="...", response_format=format, stream=stream)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPES[format])
    check_silence(answer.content, 24000 if format == "pcm" else None)


def test_as_events(conversing: Server) -> None:
    answer = post(conversing, "/v1/audio/speech", input="…", response_format="pcm", stream_format="sse")
    *deltas, done = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    check_silence(b"".join(base64.b64decode(delta["audio"]) for delta in deltas), 24000, 0.0)
    assert done["type"] == "speech.audio.done"


@pytest.mark.parametrize("query", ["encoding=linear16", "encoding=mulaw", "encoding=flac", "encoding=opus"])
def test_as_deepgram_writes_it(conversing: Server, query: str) -> None:
    answer = post(conversing, f"/v1/speak?{query}", text="👍")
    assert answer.status_code == 200
    check_silence(answer.content)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_blank_text_is_an_error(conversing: Server, text: str) -> None:
    for path, field in (("/speak", "text"), ("/v1/audio/speech", "input"), ("/v1/speak", "text")):
        assert post(conversing, path, **{field: text}).status_code == 400


def test_a_whole_answer_tells_its_length(server: Server) -> None:
    """FLAC is whole unless it is to stream, WAV where it is not to stream."""
    body = {"model": "scripted", "input": "steps=3 bytes=4800"}
    for format, stream, whole in (
        ("flac", None, True),
        ("flac", True, False),
        ("wav", False, True),
        ("wav", None, False),
        ("mp3", False, True),
    ):
        answer = post(server, "/v1/audio/speech", **body, response_format=format, stream=stream)
        assert ("content-length" in answer.headers) is whole
        if whole and format != "mp3":
            assert soundfile.info(io.BytesIO(answer.content)).frames == 7200
        if format == "wav":
            size = 14400 if whole else 0xFFFFFFFF
            assert int.from_bytes(answer.content[40:44], "little") == size
            assert int.from_bytes(answer.content[4:8], "little") == (size + 36 if whole else size)
    answer = post(server, "/v1/speak?model=scripted&encoding=flac&sample_rate=48000", text="steps=3 bytes=4800")
    assert soundfile.info(io.BytesIO(answer.content)).frames == 14400
    answer = post(server, "/speak", model="scripted", text="steps=3 bytes=4800")
    assert soundfile.info(io.BytesIO(answer.content)).frames == 7200 and len(answer.content) == 44 + 14400
