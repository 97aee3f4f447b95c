"""Xinference's own client: launch, list, get, describe, terminate, and audio through the handles it gives."""

from __future__ import annotations

import base64
import inspect
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.clips import CLIPS
from support.word_errors import word_error_rate
from xinference_client import RESTfulClient

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

TEXT = "The quick brown fox jumps over the lazy dog."
WAV = wav_header(16000, 16000) + to_pcm16(np.zeros(16000, np.float32))


CURL = (
    r"""curl -X 'POST' \
  'http://<XINFERENCE_HOST>:<XINFERENCE_PORT>/v1/audio/transcriptions' \
  -H 'accept: application/json' \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "<MODEL_UID>",
    "file": "<audio bytes>",
  }'""",
    r"""curl -X 'POST' \
  'http://<XINFERENCE_HOST>:<XINFERENCE_PORT>/v1/audio/translations' \
  -H 'accept: application/json' \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "<MODEL_UID>",
    "file": "<audio bytes>",
  }'""",
    r"""curl -X 'POST' \
  'http://<XINFERENCE_HOST>:<XINFERENCE_PORT>/v1/audio/speech' \
  -H 'accept: application/json' \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "<MODEL_UID>",
    "input": "<The text to generate audio for>",
    "voice": "echo",
    "stream": True,
  }'""",
    r"""curl -X 'POST' \
  'http://<XINFERENCE_HOST>:<XINFERENCE_PORT>/v1/audio/speech' \
  -H 'accept: application/json' \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "<MODEL_UID>",
    "input": "<The text to generate audio for>",
    # ['中文女', '中文男', '日语男', '粤语女', '英文女', '英文男', '韩语女']
    "voice": "中文女"
  }'""",
)
"""The lines of Xinference's documentation as they stand: with commas that JSON does not have, True and a comment."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(server: Any) -> Iterator[RESTfulClient]:
    with closing(RESTfulClient(server.url)) as client:
        yield client
        for uid in [one["model_uid"] for one in client.get_instance_info(None, None)]:
            client.terminate_model(uid)


def states(server: Any) -> dict[str, tuple[str, bool]]:
    return {model["name"]: (model["state"], model["pinned"]) for model in server.health()["models"]}


def gone(server: Any, name: str) -> bool:
    end = time.monotonic() + 10
    while name in states(server) and time.monotonic() < end:
        time.sleep(0.05)
    return name not in states(server)


# --- Launching and ending ----------------------------------------------------------------------------------------


def test_launch_loads_and_pins_and_terminate_unloads(client: RESTfulClient, server: Any) -> None:
    uid = client.launch_model(model_name="scripted-big", model_type="audio", model_uid="mine")
    assert uid == "mine" and states(server)["scripted-big"] == ("loaded", True)
    listed = client.list_models()
    assert listed["mine"]["model_type"] == "audio" and listed["mine"]["model_name"] == "scripted-big"
    assert client.describe_model("mine")["model_ability"] == ["text2audio", "text2audio_voice_cloning"]
    assert client.get_launch_model_progress("mine") == {"progress": 1.0}
    assert client.get_instance_info("scripted-big", None)[0]["status"] == "READY"
    assert len(client.get_model("mine").speech("steps=2 bytes=4800", response_format="pcm")) == 2 * 4800
    client.terminate_model("mine")
    assert gone(server, "scripted-big") and "mine" not in client.list_models()
    with pytest.raises(RuntimeError, match="no model 'mine'"):
        client.get_model("mine")


def test_a_model_stays_until_its_last_uid_is_gone(client: RESTfulClient, server: Any) -> None:
    for uid in ("one", "two"):
        client.launch_model(model_name="scripted-big", model_type="audio", model_uid=uid)
    client.terminate_model("one")
    assert states(server)["scripted-big"] == ("loaded", True)
    client.terminate_model("two")
    assert gone(server, "scripted-big")


def test_launching_twice_under_one_uid_is_one_launch(client: RESTfulClient) -> None:
    assert client.launch_model(model_name="scripted-big", model_type="audio") == "scripted-big"
    assert (
        client.launch_model(model_name="Scripted-Big", model_type="audio", model_uid="scripted-big") == "scripted-big"
    )
    with pytest.raises(RuntimeError, match="already means the model 'scripted-big'"):
        client.launch_model(model_name="scripted", model_type="audio", model_uid="scripted-big")


def test_launches_and_their_names_are_bounded(client: RESTfulClient) -> None:
    """Else a list of models has hundreds of megabytes soon."""
    with pytest.raises(RuntimeError, match="'model_uid' has 201 characters; allowed are 200"):
        client.launch_model(model_name="scripted-big", model_uid="u" * 201)
    uids = list[str]()
    try:
        for number in range(256):
            uids.append(client.launch_model(model_name="scripted-big", model_uid=f"{'u' * 190}{number}"))
        with pytest.raises(RuntimeError, match="256 models are launched, which is the limit; end one first"):
            client.launch_model(model_name="scripted-big", model_uid="one more")
        assert client.launch_model(model_name="scripted-big", model_uid=uids[0]) == uids[0]
    finally:
        for uid in uids:
            client.terminate_model(uid)


def test_a_launch_in_the_background_has_progress_and_can_be_given_up(client: RESTfulClient, server: Any) -> None:
    uid = client.launch_model(model_name="scripted-slow", model_type="audio", wait_ready=False)
    assert client.get_launch_model_progress(uid)["progress"] < 1
    client.cancel_launch_model(uid)
    assert client.get_instance_info(None, uid) == []
    with pytest.raises(RuntimeError, match="no launch"):
        client.cancel_launch_model(uid)


def test_a_launch_ended_while_it_loads_leaves_no_name_behind(client: RESTfulClient, server: Any) -> None:
    client.launch_model(model_name="scripted-slow", model_type="audio", model_uid="brief", wait_ready=False)
    client.terminate_model("brief")
    assert client.get_instance_info(None, None) == []
    client.launch_model(model_name="scripted", model_type="audio", model_uid="brief")
    assert client.describe_model("brief")["model_name"] == "scripted"


def test_who_leaves_while_a_model_is_ended_leaves_no_name_behind(client: RESTfulClient, server: Any) -> None:
    client.launch_model(model_name="scripted-big", model_type="audio", model_uid="left")
    with speaking(server, "left"):
        with server.client(timeout=0.3) as leaving, pytest.raises(httpx.ReadTimeout):
            leaving.delete("/v1/models/left")
        assert client.get_instance_info(None, None) == []
    client.launch_model(model_name="scripted-big", model_type="audio", model_uid="left")


def test_a_model_at_work_stays_launched(client: RESTfulClient, server: Any) -> None:
    client.launch_model(model_name="scripted-big", model_type="audio", model_uid="busy")
    with speaking(server, "busy"), pytest.raises(RuntimeError, match="scripted-big"):
        client.terminate_model("busy")
    assert client.get_instance_info(None, "busy")[0]["status"] == "READY"
    client.terminate_model("busy")
    assert gone(server, "scripted-big")


@contextmanager
def speaking(server: Any, model: str) -> Iterator[None]:
    """While a model speaks."""
    body = {"model": model, "input": "steps=4000 work=0.01", "response_format": "pcm"}
    with server.client() as client, client.stream("POST", "/v1/audio/speech", json=body) as response:
        pieces = response.iter_raw()  # let go of, it would hang up
        next(pieces)
        yield


def test_a_model_is_ended_by_its_uid_and_not_by_its_own_name(client: RESTfulClient, server: Any) -> None:
    for uid in ("one", "two"):
        client.launch_model(model_name="scripted-big", model_type="audio", model_uid=uid)
    with pytest.raises(RuntimeError, match="'scripted-big' runs as one, two: end it under each of those uids"):
        client.terminate_model("scripted-big")
    assert states(server)["scripted-big"] == ("loaded", True)


def test_one_uid_has_one_language(client: RESTfulClient) -> None:
    for _ in range(2):
        client.launch_model(model_name="scripted", model_type="audio", model_uid="spoken", lang_code="e")
    for other in ({"lang_code": "fr"}, {}):
        with pytest.raises(RuntimeError, match="'spoken' is launched with the language es; end it first"):
            client.launch_model(model_name="scripted", model_type="audio", model_uid="spoken", **other)


def test_who_waits_for_a_launch_is_told_that_it_was_given_up(client: RESTfulClient, server: Any) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.launch_model, model_name="scripted-slow", model_type="audio", model_uid="given-up")
        while not client.get_instance_info(None, "given-up"):
            assert not waiting.done()
            time.sleep(0.02)
        with closing(RESTfulClient(server.url)) as other:
            other.cancel_launch_model("given-up")
        with pytest.raises(RuntimeError, match="the launch was given up"):
            waiting.result(10)


def test_a_launch_forgets_why_the_last_one_failed(client: RESTfulClient, server: Any) -> None:
    with pytest.raises(RuntimeError, match="scripted not to load"):
        client.launch_model(model_name="scripted-broken", model_type="audio", model_uid="again")
    with pytest.raises(RuntimeError, match="scripted not to load"):
        client.get_launch_model_progress("again")
    client.launch_model(model_name="scripted-slow", model_type="audio", model_uid="again", wait_ready=False)
    assert client.get_launch_model_progress("again")["progress"] <= 1
    client.cancel_launch_model("again")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model_name": "scripted-broken"}, "scripted not to load"),
        ({"model_name": "scripted-nowhere"}, "could not be fetched"),
        ({"model_name": "CosyVoice-9000"}, "there is no model 'CosyVoice-9000'"),
        ({"model_name": "scripted", "model_path": "/elsewhere"}, "'model_path' cannot be set"),
        ({"model_name": "scripted", "replica": 2}, "'replica' must be a number from 1 to 1"),
    ],
    ids=str,
)
def test_a_launch_that_fails_says_why(client: RESTfulClient, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(RuntimeError, match=says):
        client.launch_model(model_type="audio", **settings)
    assert client.get_instance_info(None, None) == []


def test_terminating_what_does_not_run(client: RESTfulClient) -> None:
    for uid, says in (("nothing", "no model 'nothing'"), ("whisper-large-v3", "not running")):
        with pytest.raises(RuntimeError, match=says):
            client.terminate_model(uid)


def test_a_login_is_not_needed_and_does_no_harm(server: Any) -> None:
    with closing(RESTfulClient(server.url, api_key="any")) as client:
        client.login("name", "password")
        assert "scripted" in client.list_models()
    with server.client() as plain:
        assert plain.post("/token", json={"username": "a", "password": "b"}).json()["access_token"]
        assert plain.get("/v1/address").json() in server.url


def test_registrations(client: RESTfulClient) -> None:
    audio = {one["model_name"] for one in client.list_model_registrations("audio")}
    assert {"whisper-base", "kokoro-82m", "scripted"} <= audio and "smollm2-135m-instruct" not in audio
    assert "smollm2-135m-instruct" in {one["model_name"] for one in client.list_model_registrations("LLM")}
    assert client.list_model_registrations("video") == []
    assert client.get_model_registration("audio", "Whisper-Tiny.en-MLX")["model_name"] == "whisper-tiny.en"
    assert all("model_lang" in one for one in client.list_model_registrations("audio", detailed=True))
    with pytest.raises(RuntimeError, match="row of the server's catalog"):
        client.register_model("audio", "{}", persist=False)
    with pytest.raises(RuntimeError, match="row of the server's catalog"):
        client.unregister_model("audio", "whisper-base")
    client.get_model("scripted").speech("steps=1")
    assert [one["model_name"] for one in client.list_cached_models("scripted")] == ["scripted"]


def test_half_of_a_character_is_no_name(client: RESTfulClient, server: Any) -> None:
    """Kept, it would break every list it stands in."""
    half = b'{"model_name": "scripted", "model_uid": "\\ud800"}'
    with server.client() as plain:
        kind = {"Content-Type": "application/json"}
        for path, body in (
            ("/v1/models", half),
            ("/v1/audio/speech", b'{"input": "x", "kwargs": {"\\udfff": 1}}'),
            ("/v1/audio/speech", b'{"input": "x", "kwargs": "{\\"\\\\ud800\\": 1}"}'),
            ("/v1/audio/transcriptions", b'{"file": "QUJD", "kwargs": "{\\"\\\\ud800\\": 1}"}'),
        ):
            answer = plain.post(path, content=body, headers=kind)
            assert answer.status_code == 400 and "half of a character" in answer.json()["error"]["message"], answer.text
        form = {"Content-Type": "multipart/form-data; boundary=B; charset=unicode_escape"}
        part = b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\n\\ud800\r\n--B--\r\n'
        assert plain.post("/v1/audio/transcriptions", content=part, headers=form).status_code == 400
    assert client.list_models()


# --- The audio handle --------------------------------------------------------------------------------------------


def test_settings_that_the_engine_does_not_take_are_named(client: RESTfulClient) -> None:
    handle = client.get_model("scripted-asr")
    assert handle.transcriptions(WAV, prompt="steps=1")["text"] == "part 0."
    with pytest.raises(RuntimeError, match="no setting batch_size"):
        handle.transcriptions(WAV, batch_size=4)


def test_wishes_beside_the_fields_reach_the_engine_and_nulls_do_not(starter: Any, server: Any) -> None:
    with closing(RESTfulClient(starter.url)) as client:
        for wish in ("instruct", "instruct_text", "instructions"):
            with pytest.raises(RuntimeError, match=f"no options, but was given {wish}"):
                client.get_model("kokoro-82m").speech("One.", **{wish: "sadly"})
    with closing(RESTfulClient(server.url)) as client:
        heard = client.get_model("scripted-asr").transcriptions(WAV, prompt="steps=1", keywords=None, languages=None)
        assert heard["text"] == "part 0."


@pytest.mark.parametrize("line", CURL, ids=("transcriptions", "translations", "speech", "voices"))
def test_the_curl_lines_of_the_documentation(server: Any, tmp_path: Path, line: str) -> None:
    place = server.url.removeprefix("http://")
    line = line.replace("<XINFERENCE_HOST>:<XINFERENCE_PORT>", place)
    line = line.replace("<audio bytes>", base64.b64encode(WAV).decode())
    line = line.replace("<MODEL_UID>", "scripted-asr" if "file" in line else "scripted")
    run = subprocess.run(["bash", "-c", line + " -s -f -o answer"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    answer = (tmp_path / "answer").read_bytes()
    if "scripted-asr" in line:
        assert json.loads(answer)["text"] == "part 0. part 1. part 2."
    else:
        assert decode(answer, 24000).duration == pytest.approx(0.3, abs=0.1)


def test_text_formats_come_as_json_for_this_client(client: RESTfulClient) -> None:
    handle = client.get_model("scripted-asr")
    for task in (handle.transcriptions, handle.translations):
        assert task(WAV, prompt="steps=1", response_format="srt").startswith("1\n00:00:00,000 -->")
        assert task(WAV, prompt="steps=1", response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 -->")
        assert task(WAV, prompt="steps=1", response_format="text") == "part 0.\n"
    verbose = handle.transcriptions(
        WAV, prompt="steps=1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert len(verbose["words"]) == len(verbose["segments"]) == 1
    assert handle.translations(WAV, prompt="steps=1") == {
        "text": "part 0.",
        "usage": {"type": "duration", "seconds": 1.0},
        "languages": [{"code": "en"}],
    }


@pytest.mark.timeout(400)
def test_the_seeds_lines_on_real_models(starter: Any, clip: Callable[[str], Path]) -> None:
    with closing(RESTfulClient(starter.url)) as client:
        uid = client.launch_model(
            model_name="Kokoro-82M", model_type="audio", compile=False, download_hub="huggingface", lang_code="a"
        )
        model = client.get_model(uid)
        speech = model.speech(TEXT, voice="echo")
        streamed: Any = model.speech(input=TEXT, voice="af_heart", stream=True)
        assert inspect.isgenerator(streamed)
        for sound in (speech, b"".join(streamed)):  # type: ignore[arg-type]
            assert decode(sound, 16000).duration > 2
        heard = client.get_model("whisper-tiny.en").transcriptions(audio=speech)
        assert word_error_rate(TEXT, heard["text"]) == 0
        heard = client.get_model("whisper-tiny.en").transcriptions(audio=clip("jfk").read_bytes(), language="en")
        assert word_error_rate(CLIPS["jfk"].words, heard["text"]) == 0
        with pytest.raises(RuntimeError, match="no options, but was given"):
            model.speech(TEXT, instruct_text="sadly")
        with pytest.raises(RuntimeError, match="'prompt_speech' is a recording, and this model imitates none"):
            model.speech(TEXT, prompt_speech=speech, prompt_text=TEXT)
        client.terminate_model(uid)
        assert gone(starter, "kokoro-82m")
