"""soniqo's routes on a real server with scripted engines: shapes, forms, errors, and clients that leave."""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

RATE = 24000
TONE = to_pcm16((0.5 * np.sin(np.arange(RATE) / 10)).astype(np.float32))
WAV = wav_header(RATE, RATE) + TONE


def speak(client: httpx.Client, script: str, **options: object) -> httpx.Response:
    return client.post("/speak", json={"text": script, "model": "scripted", **options})


def frames(data: bytes) -> int:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return file.getnframes()


# --- What there is -----------------------------------------------------------------------------------------------


def test_health_says_ok_first_and_more_after(client: httpx.Client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.text.startswith('{"status":"ok"')
    assert {"engine", "jobs", "models", "version"} <= response.json().keys()


def test_models_have_openais_shape(client: httpx.Client) -> None:
    listing = client.get("/v1/models").json()
    assert listing["object"] == "list"
    rows = {row["id"]: row for row in listing["data"]}
    assert {"whisper-tiny.en", "kokoro-82m", "deepfilternet3", "scripted"} <= rows.keys()
    kokoro = rows["kokoro-82m"]
    assert kokoro["object"] == "model" and kokoro["owned_by"] and abs(kokoro["created"] - time.time()) < 3600
    assert kokoro["kind"] == "tts" and "kokoro" in kokoro["aliases"]


def test_what_is_not_there_is_a_json_error_that_names_what_is(client: httpx.Client) -> None:
    response = client.get("/speech")
    assert response.status_code == 404
    assert "/speech" in response.json()["error"] and "/speak" in response.json()["error"]
    response = client.get("/speak")
    assert response.status_code == 405 and response.headers["allow"] == "POST"
    assert response.json() == {"error": "GET is not allowed at /speak; allowed: POST"}


# --- Speech out --------------------------------------------------------------------------------------------------


def test_speak_gives_a_wav_with_its_true_length(client: httpx.Client) -> None:
    response = speak(client, "steps=3 bytes=4800")
    assert response.status_code == 200 and response.headers["content-type"] == "audio/wav"
    assert int(response.headers["content-length"]) == len(response.content) == 44 + 3 * 4800
    assert frames(response.content) == 3 * 2400


@pytest.mark.parametrize(
    "request_",
    [
        {"params": {"text": "steps=2", "model": "scripted"}},
        {"json": {"text": "steps=2", "engine": "Scripted", "voice": None}},
        {"json": {"text": "steps=2"}, "params": {"model": "scripted"}},
        {"data": {"text": "steps=2", "model": "scripted"}},
        {"data": {"text": "steps=2", "model": "scripted"}, "files": {"unused": b""}},
        {"content": b'{"text":"steps=2","model":"scripted"}'},
        {
            "content": b'{"text":"steps=2","model":"scripted"}',
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        },
        {"content": b'{"text":"steps=2","model":"scripted"}', "headers": {"Content-Type": "text/plain;charset=UTF-8"}},
        {"content": b'{"text":"steps=2","model":"scripted"}', "headers": {}},
    ],
    ids=[
        "query",
        "json",
        "both",
        "urlencoded",
        "multipart",
        "json in utf-8",
        "json typed as a form",
        "text",
        "untyped",
    ],
)
def test_options_come_from_the_query_json_or_a_form(client: httpx.Client, request_: dict[str, object]) -> None:
    if "content" in request_ and "headers" not in request_:
        request_ = {**request_, "headers": {"Content-Type": "application/json; charset=utf-8"}}
    response = client.post("/speak", **request_)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert frames(response.content) == 2 * 2400


def test_a_stream_has_one_header_and_comes_as_it_is_made(client: httpx.Client) -> None:
    body = {"text": "steps=5 work=0.2 bytes=4800", "model": "scripted", "stream": True}
    began = time.monotonic()
    with client.stream("POST", "/speak", json=body) as response:
        assert response.status_code == 200 and "content-length" not in response.headers
        pieces = [(time.monotonic() - began, piece) for piece in response.iter_raw()]
    data = b"".join(piece for _, piece in pieces)
    assert data.count(b"RIFF") == 1 and struct.unpack("<I", data[40:44]) == (0xFFFFFFFF,)
    assert len(data) == 44 + 5 * 4800
    assert pieces[0][0] < 0.7 < 0.9 < pieces[-1][0]


def test_streaming_equals_whole(client: httpx.Client) -> None:
    whole, streamed = (speak(client, "steps=4", stream=stream).content for stream in (False, True))
    assert streamed[44:] == whole[44:]


def test_enhance_gives_back_as_much_as_it_got_at_the_models_rate(client: httpx.Client) -> None:
    for data, rate in ((WAV, RATE), (wav_header(8000, 8000) + TONE[:16000], 8000)):
        response = client.post("/enhance", params={"model": "scripted-enhance"}, content=data)
        assert response.status_code == 200, response.text
        assert frames(response.content) == RATE, rate


def test_a_long_recording_is_enhanced_through_the_disk(client: httpx.Client) -> None:
    """Eight minutes at 24 kHz: 23 MB in and out, in pieces the engine takes."""
    samples = 480 * RATE
    response = client.post(
        "/enhance", params={"model": "scripted-enhance"}, content=wav_header(RATE, samples) + TONE * 480
    )
    assert int(response.headers["content-length"]) == len(response.content)
    assert frames(response.content) == samples


def test_enhance_can_stream(client: httpx.Client) -> None:
    response = client.post("/enhance?model=scripted-enhance&stream=true", content=WAV)
    assert "content-length" not in response.headers and len(response.content) == 44 + 2 * RATE


def test_headerless_pcm_needs_only_its_rate(client: httpx.Client) -> None:
    encoded = base64.b64encode(TONE).decode()
    body = {"audio_base64": encoded, "model": "scripted-enhance", "sample_rate": 48000}
    assert frames(client.post("/enhance", json=body).content) == RATE // 2
    del body["sample_rate"]
    response = client.post("/enhance", json=body)
    assert response.status_code == 415 and "sample_rate" in response.json()["error"]


@pytest.mark.parametrize("width", [0, 76], ids=["one line", "broken into lines"])
def test_audio_in_json(client: httpx.Client, width: int) -> None:
    encoded = base64.b64encode(WAV).decode()
    if width:
        encoded = "\n".join(encoded[start : start + width] for start in range(0, len(encoded), width))
    body = '{"model":"scripted-enhance","audio_base64":"' + encoded + '"}'
    response = client.post("/enhance", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    assert frames(response.content) == RATE


def test_audio_in_a_form(client: httpx.Client) -> None:
    response = client.post("/enhance", data={"model": "scripted-enhance"}, files={"file": ("a.wav", WAV, "audio/wav")})
    assert frames(response.content) == RATE


def test_audio_that_curl_calls_a_form(client: httpx.Client) -> None:
    response = client.post(
        "/enhance?model=scripted-enhance", content=WAV, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert frames(response.content) == RATE


# --- What goes wrong ---------------------------------------------------------------------------------------------

ERRORS: list[tuple[str, dict[str, object], int, str]] = [
    ("/speak", {"json": {"model": "scripted"}}, 400, "missing 'text'"),
    ("/speak", {"json": {"text": "  ", "model": "scripted"}}, 400, "missing 'text'"),
    ("/speak", {"json": {"text": 5, "model": "scripted"}}, 400, "'text' must be a string, not 5"),
    ("/speak", {"json": ["text"]}, 400, "must be an object, not list"),
    ("/speak", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "not valid JSON"),
    (
        "/speak",
        {"json": {"text": "x", "speed": 9, "model": "scripted"}},
        400,
        "'speed' must be a number from 0.25 to 4",
    ),
    ("/speak", {"json": {"text": "x", "speed": "fast", "model": "scripted"}}, 400, "not 'fast'"),
    ("/speak", {"json": {"text": "x", "stream": "maybe", "model": "scripted"}}, 400, "'stream' must be true or false"),
    ("/speak", {"json": {"text": "x", "engine": "espeak"}}, 404, "no model 'espeak'; known tts models: "),
    ("/speak", {"json": {"text": "x", "model": "whisper-base"}}, 404, "'whisper-base' is a asr model, not tts"),
    ("/speak", {"json": {"text": "x", "model": "scripted-nowhere"}}, 502, "scripted-nowhere"),
    ("/speak", {"json": {"text": "x", "model": "scripted-broken"}}, 500, "scripted not to load"),
    ("/speak", {"json": {"text": "fail=0", "model": "scripted"}}, 500, "scripted to fail at step 0"),
    ("/speak", {"json": {"text": "fail=0", "model": "scripted", "stream": True}}, 500, "scripted to fail at step 0"),
    ("/speak", {"json": {"text": "steps=3 fail=2", "model": "scripted"}}, 500, "scripted to fail at step 2"),
    ("/speak", {"json": {"text": "x" * 2**20, "model": "scripted"}}, 413, "over the limit of 1 MB (1048576 bytes)"),
    ("/transcribe", {}, 400, "missing audio data"),
    ("/transcribe", {"json": {"language": "en"}}, 400, "missing audio data"),
    ("/transcribe", {"json": {"audio_base64": "@@@@"}}, 400, "'audio_base64' is not base64"),
    ("/transcribe", {"json": {"audio_base64": 3}}, 400, "'audio_base64' must be a string"),
    ("/transcribe", {"json": {"audio_base64": ""}}, 415, "nothing (0 bytes)"),
    ("/transcribe", {"content": b"\x89PNG\r\n\x1a\n" + bytes(99)}, 415, "a PNG image; allowed: WAV, FLAC, MP3"),
    ("/transcribe", {"content": wav_header(16000, 0)}, 415, "holds no samples"),
    ("/transcribe", {"content": WAV, "params": {"model": "large-v9"}}, 404, "'large-v9'; known asr models: whisper-"),
    ("/transcribe", {"content": WAV, "params": {"model": "kokoro"}}, 404, "is a tts model, not asr"),
    ("/transcribe", {"content": TONE, "params": {"sample_rate": "1"}}, 400, "'sample_rate' must be a number from 1000"),
    (
        "/enhance",
        {"files": {"file": ("x.txt", b"hello, world", "text/plain")}, "params": {"model": "scripted-enhance"}},
        415,
        "plain text; allowed",
    ),
    (
        "/enhance",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "Missing boundary",
    ),
    ("/respond", {"content": WAV, "params": {"max_steps": "0"}}, 400, "'max_steps' must be a number from 1 to 3000"),
    ("/respond", {"content": WAV, "params": {"max_steps": "1.5"}}, 400, "'max_steps' must be a whole number"),
    ("/respond", {"content": WAV, "params": {"format": "mp3"}}, 400, "'format' must be one of wav, json, not 'mp3'"),
    ("/respond", {"content": WAV, "params": {"model": "wat"}}, 404, "'wat'; known s2s models"),
    ("/respond", {}, 400, "missing audio data"),
    ("/enhance", {"params": {"model": "whisper-base"}, "content": WAV}, 404, "is a asr model, not enhance"),
    ("/enhance", {"params": {"model": "scripted-enhance"}, "content": b"<html>"}, 415, "HTML"),
    ("/enhance", {"params": {"model": "scripted-enhance"}}, 400, "missing audio data"),
]


@pytest.mark.parametrize(("path", "request_", "status", "message"), ERRORS)
def test_every_mistake_has_its_status_and_says_what_is_allowed(
    client: httpx.Client, path: str, request_: dict[str, object], status: int, message: str
) -> None:
    response = client.post(path, **request_)  # type: ignore[arg-type]
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert message in response.json()["error"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_is_read(client: httpx.Client, chunked: bool) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(110):
            sent += 1
            yield bytes(1 << 20)

    headers = {} if chunked else {"Content-Length": str(110 << 20)}
    response = client.post("/enhance", content=body(), headers=headers)
    assert response.status_code == 413 and response.headers["connection"] == "close"
    assert response.json() == {"error": "the body is over the limit of 100 MB (104857600 bytes)"}
    assert sent <= 110


def test_full_is_said_at_once_with_when_to_come_again(start_server: Callable[..., object]) -> None:
    with start_server("--max-jobs", "1") as server, server.client() as client:  # type: ignore[attr-defined]
        body = {"text": "steps=100 work=0.05", "model": "scripted", "stream": True}
        with client.stream("POST", "/speak", json=body) as response:
            assert response.status_code == 200
            refused = speak(client, "steps=1")
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
            assert "max_jobs" in refused.json()["error"]


def test_a_failure_after_the_first_sound_breaks_the_body_off(client: httpx.Client) -> None:
    body = {"text": "steps=9 work=0.02 fail=4", "model": "scripted", "stream": True}
    with client.stream("POST", "/speak", json=body) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            response.read()
    assert speak(client, "steps=1").status_code == 200


# --- Clients that leave ------------------------------------------------------------------------------------------


def connect(url: str, path: str, body: bytes, length: int | None = None) -> socket.socket:
    """A raw request with its connection left open."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body)
    return connection


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return met


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_work_within_a_step(
    client: httpx.Client, server: object, tmp_path: Path, stream: bool
) -> None:
    trace = tmp_path / "trace"
    body = {"text": f"steps=500 work=0.02 trace={trace}", "model": "scripted", "stream": stream}
    connection = connect(str(client.base_url), "/speak", json.dumps(body).encode())
    assert until(lambda: trace.exists() and "step 5" in trace.read_text())
    connection.close()
    left = time.monotonic()
    assert until(lambda: "close" in trace.read_text())
    last = json.loads(trace.read_text().splitlines()[-1])
    assert last["what"] == "close" and last["at"] - left < 0.5
    assert until(lambda: client.get("/health").json()["jobs"] == 0)


def test_an_upload_that_breaks_off_leaves_nothing_behind(client: httpx.Client) -> None:
    connection = connect(str(client.base_url), "/transcribe", b"RIFF", length=1_000_000)
    time.sleep(0.1)
    connection.close()
    assert client.get("/health").json()["jobs"] == 0
    assert speak(client, "steps=1").status_code == 200


def test_one_connection_serves_many_requests(client: httpx.Client) -> None:
    """Errors included: a body that was read whole does not cost the connection."""
    ports = set()
    for body in ({"text": "steps=1", "model": "scripted"}, {"model": "scripted"}, {"text": "steps=1", "model": "wat"}):
        response = client.post("/speak", json=body)
        ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1
