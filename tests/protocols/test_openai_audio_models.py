"""OpenAI's /v1/models, and the errors of its audio API, with OpenAI's own client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from support.openai_audio import WAV, hear

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def test_models_are_listed_and_retrieved(scripted: openai.OpenAI) -> None:
    listed = {model.id: model for model in scripted.models.list()}
    assert {"whisper-base", "kokoro-82m", "scripted"} <= listed.keys()
    assert "scripted-unwritten" not in listed  # no engine runs it
    assert scripted.models.retrieve("whisper-base").owned_by == "speechmlx"
    with pytest.raises(openai.NotFoundError) as missing:
        scripted.models.retrieve("gpt-9")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="scripted-unwritten cannot run: this version has no engine for it"):
        scripted.models.retrieve("scripted-unwritten")


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("whisper-1", "whisper-base"),
        ("gpt-4o-transcribe", "whisper-base"),
        ("gpt-4o-mini-transcribe", "whisper-base"),
        ("gpt-4o-transcribe-diarize", "whisper-base"),
        ("gpt-realtime-whisper", "whisper-base"),
        ("gpt-live-transcribe", "whisper-base"),
        ("tts-1", "kokoro-82m"),
        ("tts-1-hd", "kokoro-82m"),
        ("gpt-4o-mini-tts", "kokoro-82m"),
        ("gpt-realtime", "smollm2-135m-instruct"),
        ("gpt-realtime-mini", "smollm2-135m-instruct"),
        ("gpt-4o-realtime-preview-2025-06-03", "smollm2-135m-instruct"),
        ("local", "smollm2-135m-instruct"),
        ("kokoro", "kokoro-82m"),
        ("hexgrad/Kokoro-82M", "kokoro-82m"),
        ("Systran/faster-whisper-base.en", "whisper-base.en"),
        ("mlx-community/whisper-tiny", "whisper-tiny"),
    ],
)
def test_every_name_that_a_route_or_a_socket_takes_is_a_model(server: Any, name: str, stands_for: str) -> None:
    with server.client() as client:
        answers = [client.get(f"/v1/models/{one}") for one in (name, name.replace("/", "%2F"), f"{name}/")]
    for answer in answers:
        assert (answer.status_code, answer.json()["id"], answer.json()["model_name"]) == (200, name, stands_for)


def test_audio_models_are_those_that_hear_speak_or_enhance(server: Any) -> None:
    with server.client() as client:
        found = client.get("/v1/audio/models").json()
        listed = client.get("/v1/models").json()["data"]
    kinds = {row["kind"] for row in found["data"]}
    assert found["object"] == "list" and kinds == {"asr", "tts", "s2s", "enhance"}
    assert [row["id"] for row in found["data"]] == [row["id"] for row in listed if row["kind"] in kinds]
    # A choice of voices reads `models`, and speaks with one of them.
    speaking = [row["id"] for row in listed if row["kind"] == "tts"]
    assert [model["id"] for model in found["models"]] == speaking and "kokoro-82m" in speaking
    assert all(model["name"] for model in found["models"]) and "whisper-base" not in speaking


def test_a_repositorys_name_has_the_kind_of_its_model(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'hexgrad/Kokoro-82M' is a tts model, not asr"):
        scripted.audio.transcriptions.create(model="hexgrad/Kokoro-82M", file=("a.wav", WAV))


def test_openais_names_stand_for_the_defaults_and_others_are_404(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"asr models: whisper-.* more \(GET /v1/models or") as missing:
        scripted.audio.transcriptions.create(model="whisper-9", file=("a.wav", WAV))
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        scripted.audio.speech.create(model="tts-9", voice="alloy", input="Yes.")


def test_errors_have_an_id_and_say_what_is_wrong(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="plain text; allowed: WAV") as refused:
        scripted.audio.transcriptions.create(model="scripted-asr", file=("a.wav", b"this is no recording at all"))
    assert refused.value.status_code == 415 and refused.value.code == "invalid_audio"
    assert refused.value.request_id and refused.value.request_id.startswith("req_")
    with pytest.raises(openai.NotFoundError, match="nothing at /v1/embeddings"):
        scripted.embeddings.create(model="x", input="y")


def test_a_failing_engine_is_a_status_before_the_first_word_and_a_broken_body_after(scripted: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="scripted to fail") as failed:
        scripted.audio.speech.create(model="scripted", voice="", input="fail=0")
    assert failed.value.status_code == 500
    with pytest.raises((httpx.RemoteProtocolError, openai.APIConnectionError)):
        _ = scripted.audio.speech.create(model="scripted", voice="", input="fail=2", response_format="pcm").content
    with pytest.raises(openai.InternalServerError, match="scripted to fail"):
        hear(scripted, "fail=0", stream=True)
    with pytest.raises(openai.APIError, match="scripted to fail"):
        list(hear(scripted, "fail=1", stream=True))


def test_client_gone_ends_the_job(server: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    body = {"model": "scripted", "input": f"steps=1000 work=0.02 trace={trace}", "response_format": "mp3"}
    with server.client() as client, client.stream("POST", "/v1/audio/speech", json=body) as response:
        next(response.iter_raw())
    end = time.monotonic() + 5
    while "close" not in trace.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert "close" in trace.read_text()
    assert trace.read_text().count("step") < 500


def test_models_and_voices_tell_what_a_choice_needs(server: Any) -> None:
    with server.client() as client:
        rows = client.get("/v1/models").json()["data"]
        voices = {voice["id"]: voice for voice in client.get("/v1/audio/voices").json()["voices"]}
    standard = {row["kind"]: row["id"] for row in rows if row["default"]}
    assert standard["asr"] == "whisper-base" and standard["tts"] == "kokoro-82m"
    abilities = {row["id"]: row["model_ability"] for row in rows}
    assert abilities["kokoro-82m"] == abilities["qwen3-tts-1.7b-voicedesign"] == ["text2audio"]
    assert abilities["f5-tts"] == ["text2audio", "text2audio_voice_cloning"]
    assert (abilities["whisper-base"], abilities["deepfilternet3"]) == (["audio2text"], ["enhance"])
    assert voices["bm_george"]["language"] == "en-GB" and voices["bm_george"]["usable"]
    assert voices["alloy"]["same_as"] in voices and "same_as" not in voices["bm_george"]
