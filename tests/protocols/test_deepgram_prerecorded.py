"""Deepgram's POST /v1/listen against a real server whose engine hears a word in every 100 ms of tone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from support import scripted
from support.scripted_conversation import tone, words

from speechmlx.app import create_app
from speechmlx.audio.codecs import encoder
from speechmlx.audio.encode import wav_header
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.protocols.http.url_fetch import UrlFetcher
from speechmlx.runtime.front.runtime import Runtime

if TYPE_CHECKING:
    from protocols.conftest import Server

TESTS = Path(__file__).parents[1]
RATE = 16000


def sound(*parts: tuple[float, float]) -> bytes:
    """PCM16 at RATE: (seconds of tone, seconds of silence after it) each."""
    return b"".join(tone(loud, rate=RATE) + tone(quiet, 0.0, RATE) for loud, quiet in parts)


def wav(*parts: tuple[float, float]) -> bytes:
    pcm16 = sound(*parts)
    return wav_header(RATE, len(pcm16) // 2) + pcm16


def stereo(left: bytes, right: bytes) -> bytes:
    """A WAV file of two channels."""
    size = min(len(left), len(right)) // 2
    frames = np.stack([np.frombuffer(channel, "<i2")[:size] for channel in (left, right)]).T.tobytes()
    header = bytearray(wav_header(RATE, 2 * size))
    header[22:24], header[28:32], header[32:34] = b"\2\0", (4 * RATE).to_bytes(4, "little"), b"\4\0"
    return bytes(header) + frames


def heard(answer: httpx.Response) -> list[str]:
    """The transcript of each channel."""
    assert answer.status_code == 200, answer.text
    return [channel["alternatives"][0]["transcript"] for channel in answer.json()["results"]["channels"]]


WAV = wav((0.5, 0.2))


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "audio/wav", "deepgram/audio+video", "text/plain"])
def test_a_recording_is_the_body_whatever_its_type(conversing: Server, kind: str | None) -> None:
    with conversing.client() as client:
        headers = {} if kind is None else {"Content-Type": kind}
        answer = client.post("/v1/listen?model=nova-3&tag=a&extra=k:v&made_up=1", content=WAV, headers=headers)
    assert heard(answer) == [words(0.5)]
    told = answer.json()
    meta = told["metadata"]
    assert meta["sha256"] == hashlib.sha256(WAV).hexdigest() and meta["duration"] == pytest.approx(0.7)
    assert meta["request_id"] == answer.headers["dg-request-id"] and meta["channels"] == 1
    assert (meta["extra"], meta["tags"]) == ({"k": "v"}, ["a"])
    only = told["results"]["channels"][0]["alternatives"][0]
    assert only["confidence"] == pytest.approx(0.9)
    assert [word["start"] for word in only["words"]] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.01)
    assert all(word["confidence"] == 0.9 and word["word"] == word["punctuated_word"] for word in only["words"])


@pytest.mark.parametrize(
    ("encoding", "name", "rate"),
    [("pcm16", "linear16", 8000), ("float32", "linear32", 44100), ("ulaw", "mulaw", 8000), ("alaw", "alaw", 16000)],
)
def test_audio_without_a_header(conversing: Server, encoding: Any, name: str, rate: int) -> None:
    data = AudioFormat(encoding, rate).encode(from_pcm16(tone(0.5, rate=rate) + tone(0.2, 0.0, rate)))
    with conversing.client() as client:
        assert heard(client.post(f"/v1/listen?encoding={name}&sample_rate={rate}", content=data)) == [words(0.5)]
        # a header says more than the query
        assert heard(client.post(f"/v1/listen?encoding={name}&sample_rate={rate}", content=WAV)) == [words(0.5)]


def test_containers(conversing: Server) -> None:
    with conversing.client() as client:
        for format in ("mp3", "opus", "flac"):
            made = encoder(format, RATE)
            data = made.push(sound((1.0, 0.3))) + made.finish()
            assert len(heard(client.post("/v1/listen", content=data))[0].split()) in (9, 10, 11)


@pytest.mark.parametrize("raw", [False, True])
def test_channels(conversing: Server, raw: bool) -> None:
    data = stereo(sound((0.3, 0.7)), sound((0.0, 0.5), (0.4, 0.1)))
    query = "utterances=true" + ("&encoding=linear16&sample_rate=16000&channels=2" if raw else "")
    with conversing.client() as client:
        apart = client.post(f"/v1/listen?multichannel=true&{query}", content=data[44:] if raw else data)
        mixed = client.post(f"/v1/listen?{query}", content=data[44:] if raw else data)
    assert heard(apart) == [words(0.3), words(0.4)]
    assert apart.json()["metadata"]["channels"] == 2
    spoken = [(one["channel"], one["transcript"]) for one in apart.json()["results"]["utterances"]]
    assert spoken == [(0, words(0.3)), (1, words(0.4))]
    assert heard(mixed) == [words(0.9)] and mixed.json()["metadata"]["channels"] == 1


def test_words_may_be_replaced_and_silence_is_no_word(conversing: Server) -> None:
    with conversing.client() as client:
        query = "replace=two:three&replace=four:&paragraphs=True&utterances=true&detect_language=true"
        told = client.post(f"/v1/listen?{query}", content=WAV)
        silent = client.post(f"/v1/listen?{query}", content=wav((0.0, 0.5)))
    assert heard(told) == ["one three three five"]
    assert told.json()["results"]["channels"][0]["alternatives"][0]["paragraphs"]["paragraphs"][0]["num_words"] == 4
    assert heard(silent) == [""] and silent.json()["results"]["utterances"] == []


@pytest.mark.parametrize(
    ("query", "body", "status", "says"),
    [
        ("", b"", 400, "the body must be a recording"),
        ("", b"only words in here, no audio", 400, "plain text"),
        ("", b'{"url": "http://example.org/a.wav"}', 400, "'url': asking other addresses is off.*--allow-url-fetch"),
        ("", b'{"file": "a.wav"}', 400, "the JSON has no 'url'"),
        ("callback=http://example.org/", WAV, 400, "'callback': asking other addresses is off"),
        ("encoding=linear16", WAV, 400, "needs 'sample_rate'"),
        ("encoding=mp9", WAV, 400, "'encoding' must be one of linear16"),
        ("utt_split=soon", WAV, 400, "'utt_split' must be a number"),
        ("multichannel=maybe", WAV, 400, "'multichannel' must be true or false"),
    ],
)
def test_errors(conversing: Server, query: str, body: bytes, status: int, says: str) -> None:
    with conversing.client() as client:
        answer = client.post(f"/v1/listen?{query}", content=body)
    told = answer.json()
    assert answer.status_code == status and told.keys() == {"err_code", "err_msg", "request_id"}
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(told["err_msg"])
    assert told["request_id"] == answer.headers["dg-request-id"] and answer.headers["dg-error"]


def test_too_much_is_refused(start_server: Any) -> None:
    with start_server(SPEECHMLX_MAX_AUDIO_BYTES="10kB") as server, server.client() as client:
        answer = client.post("/v1/listen", content=WAV)
    assert (answer.status_code, answer.json()["err_code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_real_speech_is_heard_again(starter: Server) -> None:
    text = "Ask not what your country can do for you. Ask what you can do for your country."
    with starter.client() as client:
        spoken = client.post("/v1/speak?model=aura-2-zeus-en&encoding=mulaw&container=none", json={"text": text})
        query = "encoding=mulaw&sample_rate=8000&punctuate=true&paragraphs=true"
        told = client.post(f"/v1/listen?{query}", content=spoken.content)
    assert heard(told) == [text]
    sentences = told.json()["results"]["channels"][0]["alternatives"][0]["paragraphs"]["paragraphs"][0]["sentences"]
    assert " ".join(one["text"] for one in sentences) == text and len(sentences) == 2
    words = told.json()["results"]["channels"][0]["alternatives"][0]["words"]
    assert all(0.3 < word["confidence"] <= 1.0 for word in words) and words[-1]["end"] <= len(spoken.content) / 8000


# --- Addresses ---------------------------------------------------------------------------------------------------


class Site(BaseHTTPRequestHandler):
    """Has a recording, and notes what is sent to it."""

    came: list[tuple[str, str, Any]]

    def log_message(self, format: str, *values: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(WAV)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).came.append((self.command, self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    do_PUT = do_POST


@pytest.fixture
async def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client of an app that counts this machine as public, and the address of a Site here."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.scripted:extend")
    monkeypatch.setattr(Site, "came", [], raising=False)
    config = Config(
        allow_url_fetch=True,
        profile="starter",
        models={"asr": "talking-asr"},
        cache=tmp_path / "cache",
        job_folder=tmp_path / "jobs",
    )
    services = build_services(config, Runtime(config, scripted.extend(CATALOG)))
    app = create_app(replace(services, fetches=UrlFetcher(permitted=lambda address: True)))
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as one:
            yield one, f"http://127.0.0.1:{site.server_address[1]}"
        site.shutdown()


async def test_an_address_is_transcribed_like_its_recording(fetching: tuple[httpx.AsyncClient, str]) -> None:
    client, site = fetching
    answer = await client.post("/v1/listen", json={"url": f"{site}/a.wav"}, timeout=30)
    assert heard(answer) == [words(0.5)]
    assert answer.json()["metadata"]["sha256"] == hashlib.sha256(WAV).hexdigest()


async def test_results_go_to_a_callback(fetching: tuple[httpx.AsyncClient, str]) -> None:
    client, site = fetching
    query = {"callback": f"{site}/done?x=1", "callback_method": "put", "utterances": "true"}
    answer = await client.post("/v1/listen", params=query, content=WAV, timeout=30)
    assert answer.status_code == 200 and answer.json() == {"request_id": answer.headers["dg-request-id"]}
    async with asyncio.timeout(20):
        while not Site.came:
            await asyncio.sleep(0.01)
    ((method, path, told),) = Site.came
    assert (method, path) == ("PUT", "/done?x=1")
    assert told["metadata"]["request_id"] == answer.json()["request_id"]
    assert told["results"]["utterances"][0]["transcript"] == words(0.5)
    for query, says in (
        ({"callback": "ftp://example.org"}, "'callback' must be an http or https address"),
        ({"callback": site, "callback_method": "GET"}, "'callback_method' must be one of POST, PUT"),
    ):
        refused = await client.post("/v1/listen", params=query, content=WAV)
        assert refused.status_code == 400 and says in refused.json()["err_msg"]


def test_only_public_addresses_are_asked(start_server: Any) -> None:
    with start_server("--allow-url-fetch", "--asr", "talking-asr") as server, server.client() as client:
        for url in (f"{server.url}/health", "http://169.254.169.254/", "http://[::ffff:127.0.0.1]/"):
            answer = client.post("/v1/listen", json={"url": url})
            assert answer.status_code == 400 and "not public" in answer.json()["err_msg"]
