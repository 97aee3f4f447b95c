"""A model that computes no finite numbers: the client gets an error with the reason, and never silence with 200."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
import soxr
from protocols.conftest import Server, Start, serve
from websockets.sync.client import connect

from speechmlx.audio.pcm import to_pcm16

ENVIRONMENT = {"SPEECHMLX_CATALOG": "support.planted_weights:extend", "PYTHONPATH": str(Path(__file__).parents[1])}
PLANTED = ("kokoro-82m", "whisper-tiny.en", "deepfilternet3", "smollm2-135m-instruct")
SPEECH = {"model": "kokoro", "input": "Hello.", "voice": "af_heart"}
REASON = "NotFinite: {} gave values that are not finite numbers"


@pytest.fixture(scope="module")
def planted(model_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose models overflow, and are not warmed up."""
    for name in PLANTED:
        model_folder(name)
    settings = {**ENVIRONMENT, "PLANTED": ",".join(PLANTED), "PLANTED_COLD": "1"}
    flags = ("--asr", "whisper-tiny.en")
    with serve(tmp_path_factory.mktemp("planted"), *flags, scripted=False, **settings) as server:
        yield server


def test_each_answer_names_the_model_and_the_stage(planted: Server, clip: Callable[[str], Path]) -> None:
    sound = clip("jfk").read_bytes()
    with planted.client() as client:
        said = client.post("/v1/audio/speech", json=SPEECH)
        heard = client.post("/v1/audio/transcriptions", files={"file": sound}, data={"model": "whisper-tiny.en"})
        cleaned = client.post("/enhance", files={"file": sound})
    answers = {
        "kokoro-82m": (said, "the synthesis of speech"),
        "whisper-tiny.en": (heard, "the recognition of speech"),
        "deepfilternet3": (cleaned, "the enhancement of speech"),
    }
    for name, (answer, stage) in answers.items():
        assert answer.status_code == 500, answer.text
        assert f"the model '{name}' failed: {REASON.format(stage)}" in answer.text


def told(server: Server, query: str, messages: Sequence[dict[str, Any]], last: str) -> dict[str, Any]:
    """The first event of the type `last`, after these messages to the realtime wire."""
    with connect(f"{server.url.replace('http', 'ws')}/v1/realtime{query}", proxy=None) as socket:
        for message in messages:
            socket.send(json.dumps(message))
        while True:
            event: dict[str, Any] = json.loads(socket.recv(60))
            if event["type"] == last:
                return event


def test_a_turn_of_a_live_session_fails(planted: Server, clip: Callable[[str], Path]) -> None:
    samples, rate = soundfile.read(clip("jfk"), dtype="float32")
    pcm = to_pcm16(soxr.resample(samples, rate, 24_000))
    session = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    messages: list[dict[str, Any]] = [
        {"type": "session.update", "session": session},
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()},
        {"type": "input_audio_buffer.commit"},
    ]
    failed = told(planted, "?intent=transcription", messages, "conversation.item.input_audio_transcription.failed")
    assert failed["error"]["code"] == "engine_failed"
    assert REASON.format("the recognition of speech") in failed["error"]["message"]


def test_an_answer_of_the_language_model_fails(planted: Server) -> None:
    content = [{"type": "input_text", "text": "Hello."}]
    messages: list[dict[str, Any]] = [
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}},
        {"type": "response.create"},
    ]
    response = told(planted, "", messages, "response.done")["response"]
    assert response["status"] == "failed"
    assert REASON.format("the logits of the next token") in json.dumps(response["status_details"])


def test_a_warm_up_that_gives_none_fails_the_load(start_server: Start, model_folder: Callable[[str], Path]) -> None:
    model_folder("kokoro-82m")
    with start_server(scripted=False, PLANTED="kokoro-82m", **ENVIRONMENT) as server, server.client() as client:
        answer = client.post("/v1/audio/speech", json=SPEECH)
        assert answer.status_code == 500, answer.text
        assert f"loading 'kokoro-82m' failed: {REASON.format('the synthesis of speech')}" in answer.text
        assert server.health()["engine"] == "ok"
